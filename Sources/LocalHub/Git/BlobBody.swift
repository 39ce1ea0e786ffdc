import NIOCore
import Synchronization

/// A large blob streamed out of a `git cat-file` of its own.
final class BlobBody: BodyPieces {
    private let repository: GitRepository
    private let oid: String
    private let skip: Int
    private let blocking: Blocking
    private let reader = Mutex<ReaderBox?>(nil)

    /// Carries the reader between calls. Safe: calls of `next` follow one another, and the mutex
    /// orders them.
    private struct ReaderBox: @unchecked Sendable {
        let reader: ObjectReader
    }

    init(_ repository: GitRepository, oid: String, skip: Int, blocking: Blocking) {
        self.repository = repository
        self.oid = oid
        self.skip = skip
        self.blocking = blocking
    }

    func next(max: Int) async throws -> ByteBuffer {
        try await blocking.run { [self] in try read(max) }
    }

    private func read(_ count: Int) throws -> ByteBuffer {
        let box = try reader.withLock { $0 } ?? open()
        var buffer = ByteBuffer()
        buffer.reserveCapacity(count)
        try box.reader.read(count) { buffer.writeBytes($0) }
        return buffer
    }

    private func open() throws -> ReaderBox {
        let fresh = ReaderBox(reader: try ObjectReader(repository: repository.path))
        guard try fresh.reader.open(oid) != nil else { throw GitError.missing(oid) }
        try fresh.reader.read(skip) { _ in }
        reader.withLock { $0 = fresh }
        return fresh
    }
}
