import Testing

@testable import LocalHub

@Suite struct FaultRulesTests {
    private func strikes(_ board: FaultBoard, _ count: Int, path: String = "/x") -> [Bool] {
        (0..<count).map { _ in
            board.plan(method: "GET", path: path, traffic: .cdn).ending != nil
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
        #expect(board.plan(method: "HEAD", path: "/a/b", traffic: .cdn).ending == nil)
        #expect(board.plan(method: "GET", path: "/a/b", traffic: .api).ending == nil)
    }

    @Test func theFirstEndingWinsAndTheOthersWait() {
        let board = FaultBoard()
        board.add(Fault(.status(500, retryAfter: nil), count: 1))
        board.add(Fault(.expired, count: 1))
        board.add(Fault(.delay(milliseconds: 5)))
        let plans = (0..<3).map { _ in board.plan(method: "GET", path: "/", traffic: .api) }
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
            .loseAnswer,
        ]
        for kind in kinds {
            let fault = Fault(
                kind, path: "/a*", method: "PUT", traffic: .lfs, skip: 1, count: 2, percent: 5,
                seed: 6)
            #expect(try FaultBody(fault).fault() == fault)
        }
    }

    @Test func badBodiesAreRefused() {
        #expect(throws: FaultBody.Failure.unknownKind("x")) { try FaultBody(kind: "x").fault() }
        #expect(throws: FaultBody.Failure.badValue(key: "status")) {
            try FaultBody(kind: "status").fault()
        }
        var body = FaultBody(kind: "expired")
        body.count = 0
        #expect(throws: FaultBody.Failure.badValue(key: "count")) { try body.fault() }
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
