import struct LocalHub.Fault
import Platform
import TestSupport
import Testing

@testable import HubClient

/// Writing to a real Hub in a folder.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct LocalHubWritingTests {
    private static let repo = WritingSession.repo
    private static let text = WritingSession.text
    /// Its digest is known, so that no test has to compute one.
    private static let large = [UInt8](repeating: 0x61, count: 12 << 20)
    private static let largeOID = LFSOID(
        hex: "2832237c662fe53a487074b428022efb76689f998baf737a14691342590d7c39")!

    private func kinds(
        _ session: WritingSession, _ commit: CommitOID, _ paths: [String]
    ) throws -> [String: TreeEntry.Kind] {
        let entries = try waitForAnswer { completion in
            session.client.pathsInfo(
                Self.repo, Revision(commit.hex), paths: paths, completion: completion)
        }.get()
        return Dictionary(uniqueKeysWithValues: entries.map { ($0.path, $0.kind) })
    }

    @Test func preuploadTellsHowFilesGo() async throws {
        try await WritingSession.with { session in
            let verdicts = try waitForAnswer { completion in
                session.client.preupload(
                    Self.repo, to: .main,
                    files: [
                        PreuploadFile(path: "old.txt", size: 6, sample: Self.text),
                        PreuploadFile(
                            path: "new.bin", size: 12 << 20, sample: Array(Self.large.prefix(512))),
                        PreuploadFile(path: "x.log", size: 6, sample: Self.text),
                    ], completion: completion)
            }.get()
            #expect(verdicts.map(\.mode) == [.regular, .lfs, .regular])
            #expect(verdicts.map(\.isIgnored) == [false, false, true])
            #expect(
                verdicts[0].current
                    == .git(BlobOID(hex: "ce013625030ba8dba906f756967f9e9ca394464a")!))
            #expect(verdicts[1].current == nil)
        }
    }

    @Test func aCommitOfEverythingLands() async throws {
        try await WritingSession.with { session in
            let large = try TestFile(Self.large)
            let object = LFSObject(oid: Self.largeOID, size: UInt64(Self.large.count))
            let verdicts = try waitForAnswer { completion in
                session.client.lfsBatch(
                    Self.repo, to: .main, objects: [object], completion: completion)
            }.get()
            guard case .upload(let upload) = try #require(verdicts.first) else {
                Issue.record("not wanted")
                return
            }
            try waitForAnswer { completion in
                session.client.upload(upload, from: large.file, completion: completion)
            }.get()
            let again = try waitForAnswer { completion in
                session.client.lfsBatch(
                    Self.repo, to: .main, objects: [object], completion: completion)
            }.get()
            guard case .present = try #require(again.first) else {
                Issue.record("asked for again")
                return
            }
            let text = try TestFile(Self.text)
            let outcome = try session.commit { body in
                try body.file("a b/ü \"new\".txt", content: text.file, size: 6)
                try body.file("empty", content: text.file, size: 0)
                try body.lfsFile("m.bin", oid: Self.largeOID, size: object.size)
                try body.deletedFile("old.txt")
                try body.deletedFolder("dir")
            }
            guard case .committed(let receipt) = outcome else {
                Issue.record("\(outcome)")
                return
            }
            let blob = ContentID.git(BlobOID(hex: "ce013625030ba8dba906f756967f9e9ca394464a")!)
            let empty = ContentID.git(BlobOID(hex: "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391")!)
            #expect(
                try kinds(
                    session, receipt.commit,
                    ["a b/ü \"new\".txt", "empty", "m.bin", "old.txt", "dir", "dir/a"])
                    == [
                        "a b/ü \"new\".txt": .file(blob, size: 6),
                        "empty": .file(empty, size: 0),
                        "m.bin": .file(.lfs(Self.largeOID), size: object.size),
                    ])
            let child = try waitForAnswer { completion in
                session.client.child(
                    of: session.base, Self.repo, in: .main, completion: completion)
            }.get()
            guard case .found(let summary) = child else {
                Issue.record("\(child)")
                return
            }
            #expect(summary.commit == receipt.commit && summary.title == "Edit")
            let head = try waitForAnswer { completion in
                session.client.head(Self.repo, of: .main, completion: completion)
            }.get()
            #expect(head == receipt.commit)
        }
    }

    @Test func aStaleParentIsTold() async throws {
        try await WritingSession.with { session in
            let first = try session.commit { try $0.deletedFile("dir/a") }
            guard case .committed = first else {
                Issue.record("\(first)")
                return
            }
            let second = try session.commit { try $0.deletedFile("dir/b") }
            guard case .stale(let error) = second else {
                Issue.record("\(second)")
                return
            }
            #expect(error.refusal?.status == 412)
        }
    }

    @Test func aLostAnswerIsFoundInTheHistory() async throws {
        try await WritingSession.with { session in
            _ = session.hub.server.faults.add(
                Fault(.loseAnswer, path: "*/commit/main", count: 1))
            let outcome = try session.commit(title: "Lost") {
                try $0.deletedFile("dir/a")
            }
            guard case .unknown = outcome else {
                Issue.record("\(outcome)")
                return
            }
            let history = try waitForAnswer { completion in
                session.client.history(Self.repo, .main, limit: 10, completion: completion)
            }.get()
            #expect(history.first?.title == "Lost")
            #expect(history.filter { $0.title == "Lost" }.count == 1)
            let child = try waitForAnswer { completion in
                session.client.child(
                    of: session.base, Self.repo, in: .main, completion: completion)
            }.get()
            #expect(child == history.first.map { .found($0) })
        }
    }

    @Test func aCommitTheHubRefusesChangesNothing() async throws {
        try await WritingSession.with { session in
            let missing = LFSOID(hex: String(repeating: "9", count: 64))!
            let outcome = try session.commit { body in
                try body.lfsFile("m.bin", oid: missing, size: 5)
            }
            guard case .refused(let error) = outcome else {
                Issue.record("\(outcome)")
                return
            }
            #expect(error.refusal?.status == 400)
            #expect(error.refusal?.message.contains("LFS pointer") == true)
            let head = try waitForAnswer { completion in
                session.client.head(Self.repo, of: .main, completion: completion)
            }.get()
            #expect(head == session.base)
        }
    }

    @Test func anUploadThatBreaksOffIsRepeated() async throws {
        try await WritingSession.with { session in
            for kind in [Fault.Kind.status(503, retryAfter: nil), .reset(atByte: nil)] {
                _ = session.hub.server.faults.add(Fault(kind, method: "PUT", count: 1))
            }
            let large = try TestFile(Self.large)
            let object = LFSObject(oid: Self.largeOID, size: UInt64(Self.large.count))
            let verdicts = try waitForAnswer { completion in
                session.client.lfsBatch(
                    Self.repo, to: .main, objects: [object], completion: completion)
            }.get()
            guard case .upload(let upload) = try #require(verdicts.first) else {
                Issue.record("not wanted")
                return
            }
            try waitForAnswer { completion in
                session.client.upload(upload, from: large.file, completion: completion)
            }.get()
            #expect(session.client.counters.snapshot.retries >= 2)
        }
    }

    @Test func branchesAndRefsAreReal() async throws {
        try await WritingSession.with { session in
            let make = { () -> Result<Void, WriteFailure> in
                waitForAnswer { completion in
                    session.client.createBranch(
                        Self.repo, name: "feat/x", at: session.base, completion: completion)
                }
            }
            try make().get()
            guard case .failure(.refused(let error)) = make() else {
                Issue.record("made twice")
                return
            }
            #expect(error.refusal?.status == 409)
            let refs = try waitForAnswer { completion in
                session.client.refs(Self.repo, completion: completion)
            }.get()
            let names = Dictionary(uniqueKeysWithValues: refs.branches.map { ($0.name, $0.commit) })
            #expect(names == ["main": session.base, "feat/x": session.base])
        }
    }
}
