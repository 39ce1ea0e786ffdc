import struct LocalHub.Fault
import Platform
import TestSupport
import Testing

@testable import HubClient

/// Uploads in parts, pull requests and comparisons at a real Hub in a folder.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct LocalHubPartsTests {
    private static let repo = WritingSession.repo
    /// As many zeros; the Hub wants them in three parts.
    private static let object = LFSObject(
        oid: LFSOID(
            hex: "5e16b61d477710b981429f4c17229f977cb084ecf0aa76203184efe8fdec6c7a")!,
        size: 50_000_001)

    private func upload(_ session: WritingSession) throws -> LFSVerdict {
        try #require(
            try waitForAnswer { completion in
                session.client.lfsBatch(
                    Self.repo, to: .main, objects: [Self.object], completion: completion)
            }.get().first)
    }

    private func zeros() throws -> TestFile {
        let file = try TestFile()
        try file.file.truncate(to: Self.object.size)
        return file
    }

    @Test func aLargeObjectIsSentInParts() async throws {
        try await WritingSession.with { session in
            guard case .upload(let upload) = try upload(session) else {
                Issue.record("not wanted")
                return
            }
            #expect(upload.ranges.count == 3)
            for kind in [Fault.Kind.status(503, retryAfter: nil), .reset(atByte: nil)] {
                _ = session.hub.server.faults.add(Fault(kind, method: "PUT", count: 1))
            }
            let file = try zeros()
            try waitForAnswer { completion in
                session.client.upload(upload, from: file.file, completion: completion)
            }.get()
            #expect(session.client.counters.snapshot.requests[.cdn] == 5)
            guard case .present = try self.upload(session) else {
                Issue.record("asked for again")
                return
            }
            let outcome = try session.commit { body in
                try body.lfsFile("zeros.bin", oid: Self.object.oid, size: Self.object.size)
            }
            guard case .committed(let receipt) = outcome else {
                Issue.record("\(outcome)")
                return
            }
            let entries = try waitForAnswer { completion in
                session.client.pathsInfo(
                    Self.repo, Revision(receipt.commit.hex), paths: ["zeros.bin"],
                    completion: completion)
            }.get()
            #expect(entries.map(\.kind) == [.file(.lfs(Self.object.oid), size: 50_000_001)])
        }
    }

    @Test func expiredURLsAreForTheCallerToRenew() async throws {
        try await WritingSession.with { session in
            guard case .upload(let upload) = try upload(session) else {
                Issue.record("not wanted")
                return
            }
            _ = session.hub.server.faults.add(Fault(.expired, method: "PUT", count: 1))
            let file = try zeros()
            let first: Result<Void, UploadFailure> = waitForAnswer { completion in
                session.client.upload(upload, from: file.file, completion: completion)
            }
            guard case .failure(.expired) = first else {
                Issue.record("\(first)")
                return
            }
            guard case .upload(let renewed) = try self.upload(session) else {
                Issue.record("not wanted")
                return
            }
            try waitForAnswer { completion in
                session.client.upload(renewed, from: file.file, completion: completion)
            }.get()
        }
    }

    @Test func commitsGoToAPullRequest() async throws {
        try await WritingSession.with { session in
            let number = try waitForAnswer { completion in
                session.client.openPullRequest(
                    Self.repo, title: "Some edits", description: "why", completion: completion)
            }.get()
            let revision = Revision("refs/pr/\(number)")
            let outcome = try session.commit(to: revision) { try $0.deletedFile("old.txt") }
            guard case .committed(let receipt) = outcome else {
                Issue.record("\(outcome)")
                return
            }
            let refs = try waitForAnswer { completion in
                session.client.refs(
                    Self.repo, includesPullRequests: true, completion: completion)
            }.get()
            #expect(
                refs.pullRequests
                    == [RepoRef(name: "\(number)", ref: revision.name, commit: receipt.commit)])
            #expect(refs.branches.map(\.commit) == [session.base])
        }
    }

    @Test func aCommitOpensAPullRequest() async throws {
        try await WritingSession.with { session in
            let spool = try TestFile()
            var body = try CommitBody(
                spool: spool.file, summary: "Edit", description: "", parent: session.base)
            try body.deletedFile("old.txt")
            let byteCount = try body.finish()
            let outcome: CommitOutcome = waitForAnswer { completion in
                session.client.commit(
                    Self.repo, to: .main, body: spool.file, byteCount: byteCount,
                    createsPullRequest: true, completion: completion)
            }
            guard case .committed(let receipt) = outcome else {
                Issue.record("\(outcome)")
                return
            }
            #expect(receipt.pullRequest == 1)
        }
    }

    @Test func commitsAreCompared() async throws {
        try await WritingSession.with { session in
            let text = try TestFile(WritingSession.text)
            let other = try TestFile(Array("another text of some length\n".utf8))
            let outcome = try session.commit { body in
                try body.deletedFile("old.txt")
                try body.file("ü \"new\" name.txt", content: text.file, size: 6)
                try body.file("dir/b", content: other.file, size: 28)
                try body.deletedFile("dir/a")
            }
            guard case .committed(let receipt) = outcome else {
                Issue.record("\(outcome)")
                return
            }
            let changes = try waitForAnswer { completion in
                session.client.compare(
                    Self.repo, from: session.base, to: receipt.commit, completion: completion)
            }.get()
            #expect(changes.contains { $0.status == .modified && $0.path == "dir/b" })
            // Whichever of the two equal files git takes for its source.
            #expect(changes.contains { $0.newPath == "ü \"new\" name.txt" })
            #expect(changes.count == 3)
        }
    }
}
