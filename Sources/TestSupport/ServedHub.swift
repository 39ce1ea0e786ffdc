package import LocalHub
import Foundation
import Platform

/// A running local Hub in a temporary folder, for tests of modules that speak to a Hub.
package final class ServedHub: Sendable {
    package let server: LocalHubServer
    private let folder: URL

    package static func start(
        options: LocalHubServer.Options = .init()
    ) async throws -> ServedHub {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("hubfs-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let server = try await LocalHubServer.start(
            root: folder.appendingPathComponent("root").path, options: options)
        return ServedHub(server: server, folder: folder)
    }

    /// Runs a test against a Hub of its own. On a thread of its own, because it blocks: the threads that
    /// tests run on are the same few that the Hub answers on.
    package static func use(
        options: LocalHubServer.Options = .init(),
        _ body: @escaping @Sendable (ServedHub) throws -> Void
    ) async throws {
        let hub = try await start(options: options)
        let outcome = await withCheckedContinuation { continuation in
            _ = Platform.Thread(name: "hub-test") {
                continuation.resume(returning: Result { try body(hub) })
            }
        }
        await hub.stop()
        try outcome.get()
    }

    private init(server: LocalHubServer, folder: URL) {
        self.server = server
        self.folder = folder
    }

    /// Makes a model repo with these files, large ones in LFS, by the Hub's own rule.
    package func makeRepo(_ name: String, files: [String: [UInt8]]) throws {
        let source = folder.appendingPathComponent(UUID().uuidString)
        for (path, bytes) in files {
            let file = source.appendingPathComponent(path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(bytes).write(to: file)
        }
        let repo = try server.hub.createRepo(.model, RepoName(name)!, author: "tests")
        _ = try FolderImport(hub: server.hub, repo: repo, folder: source.path)
            .run(author: "tests", message: "Import")
    }

    /// Ends the server and removes the folder.
    package func stop() async {
        await server.stop()
        try? FileManager.default.removeItem(at: folder)
    }
}
