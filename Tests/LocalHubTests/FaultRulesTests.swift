import Testing

@testable import LocalHub

@Suite struct FaultRulesTests {
    private func strikes(_ board: FaultBoard, _ count: Int, path: String = "/x") -> [Bool] {
        (0..<count).map { _ in
            board.plan(method: "GET", path: path, traffic: .cdn, endpoint: "cdn").ending != nil
        }
    }

    @Test func skipAndCount() {
        let board = FaultBoard()
        board.add(Fault(.expired, skip: 2, count: 2))
        #expect(strikes(board, 6) == [false, false, true, true, false, false])
        #expect(board.entries[0].fired == 2)
    }

    @Test func pathMethodAndClass() {
        let board = FaultBoard()
        board.add(Fault(.expired, path: "/a/*", method: "GET", traffic: .cdn))
        #expect(strikes(board, 1, path: "/a/b/c") == [true])
        #expect(strikes(board, 1, path: "/b") == [false])
        #expect(
            board.plan(method: "HEAD", path: "/a/b", traffic: .cdn, endpoint: "cdn").ending == nil)
        #expect(
            board.plan(method: "GET", path: "/a/b", traffic: .api, endpoint: "info").ending == nil)
    }

    @Test func theFirstEndingWinsAndTheOthersWait() {
        let board = FaultBoard()
        board.add(Fault(.status(500, retryAfter: nil), count: 1))
        board.add(Fault(.expired, count: 1))
        board.add(Fault(.delay(milliseconds: 5)))
        let plans = (0..<3).map { _ in
            board.plan(method: "GET", path: "/", traffic: .api, endpoint: "info")
        }
        #expect(plans.map(\.ending) == [.status(500, retryAfter: nil), .expired, nil])
        #expect(plans.map(\.delays) == [[5], [5], [5]])
    }

    @Test func percentIsTheSameForTheSameSeed() {
        func run(_ seed: UInt64) -> [Bool] {
            let board = FaultBoard()
            board.add(Fault(.expired, percent: 30, seed: seed))
            return strikes(board, 1000)
        }
        #expect(run(7) == run(7))
        #expect(run(7) != run(8))
        #expect((250..<350).contains(run(7).count { $0 }))
    }

    @Test func removal() throws {
        let board = FaultBoard()
        let id = try #require(board.add(Fault(.expired)))
        #expect(board.remove(id))
        #expect(!board.remove(id))
        #expect(strikes(board, 1) == [false])
    }

    @Test func everyKindSurvivesItsJSON() throws {
        let kinds: [Fault.Kind] = [
            .delay(milliseconds: 3), .link(Link(rttMilliseconds: 20, windowBytes: 5)),
            .link(Link(rttMilliseconds: 20, windowBytes: nil)), .rateLimited(seconds: 4),
            .status(503, retryAfter: 2), .status(412, retryAfter: nil), .expired, .cut(atByte: 9),
            .reset(atByte: nil), .reset(atByte: 1), .stall(atByte: nil), .stall(atByte: 2),
            .ignoreRange, .corrupt(atByte: 0, count: nil), .corrupt(atByte: 3, count: 4), .gzip,
            .loseAnswer, .status(507, retryAfter: nil, message: "Full"), .lateStatus(504),
            .resetUpload(atByte: 7), .stallAnswer,
        ]
        for kind in kinds {
            let fault = Fault(
                kind, path: "/a*", method: "PUT", traffic: .lfs, endpoint: "lfs-part", skip: 1,
                count: 2, percent: 5, seed: 6)
            #expect(try FaultBody(fault).fault() == fault)
        }
    }

    @Test func anEndpointAlone() {
        let board = FaultBoard()
        board.add(Fault(.expired, endpoint: "commit"))
        func strikes(_ endpoint: String) -> Bool {
            board.plan(method: "POST", path: "/", traffic: .api, endpoint: endpoint).ending != nil
        }
        #expect(strikes("commit"))
        #expect(!strikes("commits"))
    }

    /// Faults are refused for names that are not in the list, so each name must be in it.
    @Test func everyEndpointIsInTheListOfNames() {
        let repo = "/api/models/org/repo"
        let bucket = "/api/buckets/org/b"
        let hash = String(repeating: "a", count: 64)
        let paths = [
            "/api/whoami-v2", "/api/repos/create", "/api/repos/delete", "/api/repos/move",
            "/api/validate-yaml", "/api/complete_multipart", "/api/models", repo,
            repo + "/revision/main", repo + "/tree/main", repo + "/paths-info/main",
            repo + "/treesize/main", repo + "/refs", repo + "/commits/main", repo + "/compare/a..b",
            repo + "/super-squash/main", repo + "/preupload/main", repo + "/commit/main",
            repo + "/branch/b", repo + "/tag/t", repo + "/settings", repo + "/discussions",
            repo + "/discussions/1", repo + "/discussions/1/comment", repo + "/discussions/1/title",
            repo + "/discussions/1/status", repo + "/discussions/1/merge",
            repo + "/discussions/1/ref", repo + "/lfs-files", repo + "/lfs-files/batch",
            repo + "/lfs-files/duplicate", repo + "/lfs-files/x", "/org/repo/resolve/main/x",
            "/org/repo/raw/main/x", "/api/resolve-cache/models/org/repo/abc/x",
            "/org/repo.git/info/lfs/objects/batch", "/org/repo.git/info/lfs/verify", "/nowhere",
            repo + "/xet-read-token/main", "/cas/v2/reconstructions/\(hash)", "/cas/v1/nowhere",
            "/cas/v1/files/\(hash)", "/cas/v1/xorbs/default/\(hash)", "/cas/v2/shards",
            "/cas/v1/xorb-grants/default/\(hash)", "/cas/v1/chunks/default/\(hash)",
            "/cas/v1/xorb-commits/default/\(hash)/grant/id", "/api/buckets/org", bucket,
            "/cas/v2/file-chunk-hashes/\(hash)", bucket + "/settings", bucket + "/tree",
            bucket + "/paths-info", bucket + "/batch", bucket + "/events",
            "/buckets/org/b/resolve/x",
        ]
        let names = Set(paths.map { Endpoint.hub($0).name })
        #expect(
            names.union(["cdn", "lfs-upload", "lfs-part", "xorb", "xorb-upload"]) == Endpoint.names)
    }

    @Test func badBodiesAreRefused() {
        #expect(throws: FaultBody.Failure.unknownKind("x")) { try FaultBody(kind: "x").fault() }
        #expect(throws: FaultBody.Failure.badValue(key: "status")) {
            try FaultBody(kind: "status").fault()
        }
        var body = FaultBody(kind: "expired")
        body.count = 0
        #expect(throws: FaultBody.Failure.badValue(key: "count")) { try body.fault() }
        body.count = nil
        body.endpoint = "comit"
        #expect(throws: FaultBody.Failure.badValue(key: "endpoint")) { try body.fault() }
    }

    @Test func links() {
        #expect(
            Link("rtt=20ms,window=2900KB") == Link(rttMilliseconds: 20, windowBytes: 2_900_000))
        #expect(Link("rtt=1.5s") == Link(rttMilliseconds: 1500, windowBytes: nil))
        for bad in ["", "window=1", "rtt=x", "rtt=1ms,window=0", "rtt=1ms,speed=2"] {
            #expect(Link(bad) == nil, "\(bad)")
        }
    }

    @Test func paceOfALink() {
        let link = Link(rttMilliseconds: 100, windowBytes: 1000)
        var pace = LinkPace()
        let start = ContinuousClock.now
        #expect(pace.begin(link, now: start) == start + .milliseconds(200))
        #expect(pace.begin(link, now: start) == start + .milliseconds(100))
        #expect(pace.pass(1000, link, now: start) == start + .milliseconds(100))
        // Queued behind the first window, whoever asks.
        #expect(pace.pass(500, link, now: start) == start + .milliseconds(150))
        // An idle link has saved nothing up.
        let later = start + .seconds(5)
        #expect(pace.pass(1000, link, now: later) == later + .milliseconds(100))
    }

    @Test func gzipOfManyBlocks() {
        let bytes = TestHub.binary(150_000)
        var gzip = GzipEncoder()
        let encoded =
            GzipEncoder.head + gzip.encode(bytes[..<70_000]) + gzip.encode(bytes[70_000...])
            + gzip.finish()
        #expect(isSame(gunzip(encoded) ?? [], bytes))
    }

    @Test func cachesForgetTheOldest() {
        let cache = BoundedCache<Int, Int>(costMax: 10)
        for key in 0..<20 {
            cache.insert(key, key)
            _ = cache[0]
        }
        #expect(cache[0] == 0, "what is used stays")
        #expect(cache[1] == nil)
        #expect(cache[19] == 19)
        cache.insert(99, 99, cost: 6)
        #expect(cache[99] == nil, "what exceeds half of the limit is not kept")
    }
}
