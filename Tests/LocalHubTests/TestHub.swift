import Crypto
import Foundation
import Testing

@testable import LocalHub

/// A Hub in a folder of its own, served in this process, gone at the end of the test.
final class TestHub: Sendable {
    let root: String
    let server: LocalHubServer
    /// A token that may write everywhere.
    let writer: WireClient
    /// A token of another user, with rights in no namespace but its own.
    let stranger: WireClient
    /// A read token with rights everywhere.
    let reader: WireClient
    let anonymous = WireClient()

    var endpoint: String { server.endpoint }
    var registry: Registry { server.hub.registry }
    var api: String { endpoint + "/api/models/org/repo" }

    /// Runs a test against a fresh Hub whose repo `org/repo` holds the files.
    static func with(
        _ files: [String: [UInt8]] = [:], options: LocalHubServer.Options = .init(),
        _ body: (TestHub) async throws -> Void
    ) async throws {
        let root = FileManager.default.temporaryDirectory.appending(
            path: "localhub-\(UUID().uuidString)"
        ).path(percentEncoded: false)
        defer { try? FileManager.default.removeItem(atPath: root) }
        let hub = try await TestHub(root: root, options: options)
        do {
            try hub.add("org/repo", files)
            try await body(hub)
        } catch {
            await hub.server.stop()
            throw error
        }
        await hub.server.stop()
    }

    private init(root: String, options: LocalHubServer.Options) async throws {
        self.root = root
        server = try await LocalHubServer.start(root: root, options: options)
        let registry = server.hub.registry
        writer = WireClient(
            token: try registry.createToken(
                name: "writer", user: "writer", role: .write, namespaces: nil))
        stranger = WireClient(
            token: try registry.createToken(
                name: "stranger", user: "stranger", role: .write, namespaces: []))
        reader = WireClient(
            token: try registry.createToken(
                name: "reader", user: "reader", role: .read, namespaces: nil))
    }

    /// Makes a model repo, or adds to it, by an import.
    @discardableResult
    func add(
        _ name: String, _ files: [String: [UInt8]], options: RepoOptions = RepoOptions()
    ) throws -> RepoRecord {
        let name = try #require(RepoName(name))
        let repo =
            try registry.repo(.model, name)
            ?? server.hub.createRepo(.model, name, options: options, author: "test")
        guard !files.isEmpty else { return repo }
        let folder = root + "/source-\(UUID().uuidString)"
        for (path, bytes) in files {
            let url = URL(filePath: folder + "/" + path)
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(bytes).write(to: url)
        }
        _ = try FolderImport(hub: server.hub, repo: repo, folder: folder)
            .run(author: "test", message: "import")
        try FileManager.default.removeItem(atPath: folder)
        return repo
    }

    /// git's own view of the repo; what git says of a failure if it fails.
    func git(_ arguments: String...) -> String {
        do {
            let output = try Git.run(root + "/models/org/repo.git", arguments)
            return String(decoding: output, as: UTF8.self).trimmingCharacters(in: .newlines)
        } catch {
            return "git failed: \(error)"
        }
    }

    /// Posts an ndjson commit.
    func commit(
        _ lines: [[String: Any]], revision: String = "main", parent: String? = nil,
        by client: WireClient? = nil
    ) async -> WireAnswer {
        await (client ?? writer).send(
            "POST", api + "/commit/" + revision,
            headers: ["Content-Type": "application/x-ndjson"],
            body: Self.ndjson(lines, parent: parent))
    }

    static func ndjson(_ lines: [[String: Any]], parent: String? = nil) -> [UInt8] {
        var header: [String: Any] = ["summary": "change", "description": ""]
        header["parentCommit"] = parent
        let all: [[String: Any]] = [["key": "header", "value": header]] + lines
        let texts = all.compactMap { try? JSONSerialization.data(withJSONObject: $0) }
        return Array(texts.joined(separator: Data("\n".utf8)))
    }

    static func file(_ path: String, _ text: String) -> [String: Any] {
        let content = Data(text.utf8).base64EncodedString()
        return ["key": "file", "value": ["path": path, "content": content, "encoding": "base64"]]
    }

    /// - Parameter key: `deletedFile`, `deletedFolder` or `deletedEntry`.
    static func deletion(_ path: String, key: String = "deletedFile") -> [String: Any] {
        ["key": key, "value": ["path": path]]
    }

    static func lfsFile(_ path: String, _ content: [UInt8]) -> [String: Any] {
        [
            "key": "lfsFile",
            "value": [
                "path": path, "algo": "sha256", "oid": sha256(content), "size": content.count,
            ],
        ]
    }

    static func sha256(_ bytes: [UInt8]) -> String {
        hex(SHA256.hash(data: bytes))
    }

    /// Bytes that no sample takes for text, the same each time.
    static func binary(_ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    }
}

/// Equality of long contents; `#expect(a == b)` would work out every difference, for minutes.
func isSame(_ left: some Collection<UInt8>, _ right: some Collection<UInt8>) -> Bool {
    left.elementsEqual(right)
}
