import GRDB
import HubClient
import SystemPackage
import Testing
import TestSupport

@testable import RepoCache

/// cache.db as version 1 had it.
@Suite(.timeLimit(.minutes(5)))
struct DatabaseUpgradeTests {
    private static let version1 = """
        CREATE TABLE snapshot (
            repo TEXT NOT NULL,
            revision TEXT NOT NULL,
            canonical_name TEXT NOT NULL,
            commit_oid TEXT NOT NULL,
            commit_date_ns INTEGER NOT NULL,
            PRIMARY KEY (repo, revision)
        ) WITHOUT ROWID;
        CREATE TABLE listing (
            key TEXT PRIMARY KEY,
            byte_count INTEGER NOT NULL,
            stored_at INTEGER NOT NULL,
            entries BLOB NOT NULL
        );
        CREATE TABLE content (
            hex TEXT PRIMARY KEY,
            size INTEGER NOT NULL,
            last_use INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE content_path (
            hex TEXT NOT NULL,
            repo TEXT NOT NULL,
            path TEXT NOT NULL,
            PRIMARY KEY (hex, repo, path)
        ) WITHOUT ROWID;
        INSERT INTO snapshot VALUES ('models/org/model', 'main', 'org/model', 'OID', 12345);
        INSERT INTO content VALUES ('abcd', 7, 1000);
        INSERT INTO content_path VALUES ('abcd', 'models/org/model', 'a/b');
        PRAGMA user_version = 1;
        """

    private func makeVersion1(in folder: CacheFolder) throws {
        let oid = String(repeating: "c", count: 40)
        let queue = try DatabaseQueue(path: folder.database.string)
        try queue.write { database in
            try database.execute(sql: Self.version1.replacing("OID", with: oid))
        }
        try queue.close()
    }

    @Test func whatRevisionsNamedIsForgottenAndTheRestStays() throws {
        let scratch = ScratchFolder()
        defer { scratch.remove() }
        let folder = try CacheFolder(scratch.path)
        try makeVersion1(in: folder)
        let repo = RepoID(kind: .model, name: "org/model")
        // A second time it is of this version already.
        for _ in 0..<2 {
            let database = try CacheDatabase(in: folder)
            defer { database.file.close() }
            #expect(try database.snapshot(repo, .main, of: "") == nil)
            #expect(try database.contentUses().map(\.hex) == ["abcd"])
            #expect(try database.contentPaths()["abcd"]?.map(\.path) == ["a/b"])
        }
        let database = try CacheDatabase(in: folder)
        defer { database.file.close() }
        let snapshot = RepoSnapshot(
            repo: repo, commit: CacheFixture.commit, commitDateNanoseconds: 5)
        try database.remember(snapshot, as: repo, .main, of: "http://hub")
        #expect(try database.snapshot(repo, .main, of: "http://hub") == snapshot)
    }

    @Test func aVersionThatIsNotKnownIsRefused() throws {
        let scratch = ScratchFolder()
        defer { scratch.remove() }
        let folder = try CacheFolder(scratch.path)
        let queue = try DatabaseQueue(path: folder.database.string)
        try queue.write { try $0.execute(sql: "PRAGMA user_version = 3") }
        try queue.close()
        let error = #expect(throws: CacheError.self) { _ = try CacheDatabase(in: folder) }
        guard case .unknownFormat(_, 3) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }
}
