import HTTPTransport
import struct LocalHub.TokenRecord
import Platform
import TestSupport

@testable import HubClient

/// A client that may write to a real Hub in a folder, whose repo has a few files.
struct WritingSession {
    static let repo = RepoID(kind: .model, name: "lab/sample")
    static let text: [UInt8] = Array("hello\n".utf8)

    let client: HubClient
    let hub: ServedHub
    /// The branch's head at the beginning.
    let base: CommitOID

    /// Runs a test against a fresh Hub.
    static func with(_ body: @escaping @Sendable (WritingSession) throws -> Void) async throws {
        try await ServedHub.use { hub in try run(body, at: hub) }
    }

    private static func run(
        _ body: @Sendable (WritingSession) throws -> Void, at hub: ServedHub
    ) throws {
        try hub.makeRepo(
            "lab/sample",
            files: [
                "old.txt": text, "dir/a": text, "dir/b": [1], ".gitignore": Array("*.log\n".utf8),
            ])
        let secret = try hub.server.hub.registry.createToken(
            name: "writer", user: "writer", role: .write, namespaces: nil)
        let transport = HTTPTransport()
        let timers = TimerQueue()
        var configuration = HubConfiguration(
            endpoint: hub.server.endpoint, token: FixedToken(Token(secret)))
        configuration.timeouts.writeSeconds = 20
        configuration.timeouts.writeStallSeconds = 10
        configuration.retries.waits = [0.01, 0.02, 0.04]
        let client = HubClient(configuration: configuration, transport: transport, timers: timers)
        defer {
            client.close()
            transport.shutdown()
            timers.close()
        }
        let base = try waitForAnswer { client.head(repo, of: .main, completion: $0) }.get()
        try body(WritingSession(client: client, hub: hub, base: base))
    }

    /// Commits what `write` puts into a body whose parent is `base`.
    func commit(
        to revision: Revision = .main, title: String = "Edit",
        _ write: (inout CommitBody) throws -> Void
    ) throws -> CommitOutcome {
        let spool = try TestFile()
        var body = try CommitBody(
            spool: spool.file, summary: title, description: "why", parent: base)
        try write(&body)
        let byteCount = try body.finish()
        return waitForAnswer { completion in
            client.commit(
                Self.repo, to: revision, body: spool.file, byteCount: byteCount,
                completion: completion)
        }
    }
}
