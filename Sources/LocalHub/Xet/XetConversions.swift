import NIOPosix
import Synchronization
package import XetCodec

/// Conversions on demand, each object once however many ask for it.
///
/// They have threads of their own: a large file must not keep others from being answered.
final class XetConversions: Sendable {
    private struct Key: Hashable {
        let repo: String
        let oid: String
    }

    private static let threadCount = 2

    private let hub: Hub
    private let threads: NIOThreadPool
    private let running = Mutex<[Key: Task<XetHash, any Error>]>([:])

    init(hub: Hub) {
        self.hub = hub
        threads = NIOThreadPool(numberOfThreads: Self.threadCount)
        threads.start()
    }

    func stop() {
        threads.shutdownGracefully { _ in }
    }

    /// The hash of an object the repo has, made unless it is known.
    func hash(of oid: String, in repo: RepoRecord) async throws -> XetHash {
        let key = Key(repo: repo.id, oid: oid)
        let task = running.withLock { running in
            if let task = running[key] { return task }
            let task = Task { [hub, threads] in
                try await threads.runIfActive { try hub.convert(oid, in: repo) }
            }
            running[key] = task
            return task
        }
        defer { running.withLock { $0[key] = nil } }
        return try await task.value
    }
}

extension Hub {
    /// The hash of an LFS object, which gets the form of Xet unless it has it.
    ///
    /// - Throws: a Foundation error if the object is not here.
    @discardableResult
    package func convert(_ oid: String, in repo: RepoRecord) throws -> XetHash {
        if let known = try registry.xetHashes(of: [oid], in: repo)[oid] { return known }
        let made = try XetConversion.run(
            lfs(repo).path(oid), into: xet, knowing: try registry.xorbs(in: repo))
        let registration = Registry.XetRegistration(
            file: made.file, oid: oid, chunks: made.chunks)
        try registry.register([registration], in: .repo(repo))
        return made.file.hash
    }
}
