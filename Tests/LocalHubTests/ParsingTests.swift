import Foundation
import Testing

@testable import LocalHub

@Suite struct ParsingTests {
    @Test func revisionsAreCheckedBeforeGitSeesThem() {
        let oid = String(repeating: "a", count: 40)
        #expect(RevisionName(oid) == .commit(oid))
        #expect(RevisionName("refs/pr/1") == .ref("refs/pr/1"))
        #expect(RevisionName("feat/x") == .short("feat/x"))
        #expect(RevisionName("feat/x")?.candidates == ["refs/heads/feat/x", "refs/tags/feat/x"])
        #expect(RevisionName("abcdef1")?.candidates.last == "abcdef1")
        for bad in [
            "", "main~1", "a b", "main^{tree}", "HEAD:x", "a..b", "@{1}", "-x", "a\nb", "x.",
        ] {
            #expect(RevisionName(bad) == nil, "\(bad)")
        }
    }

    private func repo(_ path: String) -> [RepoAddress] {
        guard case .repo(_, let addresses) = Endpoint.hub(path) else { return [] }
        return addresses
    }

    @Test func apiPaths() {
        #expect(Endpoint.hub("/api/whoami-v2") == .whoami)
        #expect(Endpoint.hub("/api/datasets") == .listRepos(.dataset))
        #expect(Endpoint.hub("/api/agent-harnesses") == .unknown)
        #expect(Endpoint.hub("/api/models/o/r/nope") == .unknown)
        #expect(Endpoint.hub("/api/models/o/r/tree") == .unknown)
        let tree = repo("/api/models/o/r/tree/refs%2Fpr%2F1/dir%2Fsub/x%20y")
        #expect(tree.map(\.id) == [["o", "r"]])
        #expect(tree[0].action == .tree(revision: "refs/pr/1", path: "dir/sub/x y"))
        #expect(repo("/api/models/o/r/branch/feat%2Fx")[0].action == .branch("feat/x"))
    }

    @Test func oldIdsOfOneSegment() {
        #expect(repo("/api/models/gpt2").map(\.id) == [["gpt2"]])
        let tree = repo("/api/models/gpt2/tree/main")
        #expect(tree.map(\.id) == [["gpt2"]])
        #expect(tree[0].before == "/api/models/")
        #expect(tree[0].after == "/tree/main")
        // Either a repo `gpt2/refs` or the refs of `gpt2`: both are tried.
        #expect(repo("/api/models/gpt2/refs").map(\.id) == [["gpt2", "refs"], ["gpt2"]])
    }

    @Test func webPaths() {
        let file = repo("/datasets/o/r/resolve/main/a%20b%23c%3F.txt")
        #expect(file.map(\.id) == [["o", "r"]])
        #expect(file[0].action == .resolve(revision: "main", path: "a b#c?.txt"))
        #expect(file[0].before == "/datasets/")
        #expect(repo("/gpt2/resolve/main/x")[0].id == ["gpt2"])
        #expect(repo("/o/r.git/info/lfs/objects/batch")[0].id == ["o", "r"])
        #expect(repo("/o/r.git/info/lfs/objects/batch")[0].action == .lfsBatch)
        #expect(Endpoint.hub("/o/r/resolve/main") == .unknown)
    }

    @Test func cursors() {
        let cursor = TreeCursor(tree: String(repeating: "b", count: 40), path: "d/\u{e9} x")
        #expect(TreeCursor(cursor.text) == cursor)
        for bad in [
            "", "zz", "6161", cursor.text + "0", hex(String(repeating: "b", count: 40).utf8),
        ] {
            #expect(TreeCursor(bad) == nil, "\(bad)")
        }
    }

    /// Every range of a five-byte content.
    @Test func ranges() {
        for first in 0...6 {
            for last in first...7 {
                let expected: ByteRange.Verdict =
                    first >= 5 ? .unsatisfiable : .part(ByteRange(first: first, last: min(last, 4)))
                #expect(ByteRange.parse("bytes=\(first)-\(last)", size: 5) == expected)
            }
        }
        #expect(ByteRange.parse("bytes=2-", size: 5) == .part(ByteRange(first: 2, last: 4)))
        #expect(ByteRange.parse("bytes=-2", size: 5) == .part(ByteRange(first: 3, last: 4)))
        #expect(ByteRange.parse("bytes=-9", size: 5) == .part(ByteRange(first: 0, last: 4)))
        #expect(ByteRange.parse("bytes=-0", size: 5) == .unsatisfiable)
        #expect(ByteRange.parse("bytes=0-0", size: 0) == .unsatisfiable)
        for ignored in [
            "bytes=3-2", "bytes=a-b", "items=0-1", "bytes=0-1,3-4", "bytes=5", "bytes=--1",
        ] {
            #expect(ByteRange.parse(ignored, size: 5) == .whole, "\(ignored)")
        }
        #expect(ByteRange.parse(nil, size: 5) == .whole)
    }

    @Test func signedURLs() {
        let signer = URLSigner(key: "k")
        let query = URLText.pairs(signer.sign("/models/o/r/x", for: .download, expires: 1000))
        func check(_ path: String, _ purpose: URLSigner.Purpose, _ now: Double) -> URLSigner.Verdict
        {
            signer.check(path, for: purpose, query: query, now: Date(timeIntervalSince1970: now))
        }
        #expect(check("/models/o/r/x", .download, 999) == .valid)
        #expect(check("/models/o/r/x", .download, 1000) == .expired)
        #expect(check("/models/o/r/y", .download, 999) == .forged)
        #expect(check("/models/o/r/x", .upload, 999) == .forged)
        let later = query.map { $0.name == "Expires" ? ($0.name, "2000") : $0 }
        #expect(
            signer.check("/models/o/r/x", for: .download, query: later, now: .distantPast)
                == .forged)
    }

    @Test func pointers() {
        let pointer = LFSPointer(oid: String(repeating: "c", count: 64), size: 12)
        #expect(LFSPointer(parsing: Array(pointer.text.utf8)) == pointer)
        #expect(LFSPointer(parsing: Array(pointer.text.replacing("12", with: "x").utf8)) == nil)
        #expect(LFSPointer(parsing: Array("version https://example.com\n".utf8)) == nil)
    }

    @Test func dates() {
        #expect(JSONText.date(Date(timeIntervalSince1970: 0)) == "1970-01-01T00:00:00.000Z")
        for (seconds, text) in [
            (1_450_000_000.123, "2015-12-13T09:46:40.123Z"), (1.9996, "1970-01-01T00:00:02.000Z"),
            (-0.25, "1969-12-31T23:59:59.750Z"),
        ] {
            #expect(JSONText.date(Date(timeIntervalSince1970: seconds)) == text)
        }
        #expect(
            JSONText.date(Date(timeIntervalSince1970: 1_767_323_045.25))
                == "2026-01-02T03:04:05.250Z")
    }
}
