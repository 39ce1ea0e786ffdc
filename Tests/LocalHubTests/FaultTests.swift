import Testing

@testable import LocalHub

/// Each kind of fault, seen on the wire.
@Suite struct FaultTests {
    static let content = TestHub.binary(1_500_000)

    /// - Returns: what a GET of the large file from the CDN gives under the fault.
    private func read(
        _ fault: Fault.Kind, headers: [String: String] = [:], patience: Int = 20
    ) async throws -> WireAnswer {
        var result = WireAnswer()
        try await TestHub.with(["m.bin": Self.content]) { hub in
            hub.server.faults.add(Fault(fault, traffic: .cdn, count: 1))
            let redirect = await hub.anonymous.get(hub.endpoint + "/org/repo/resolve/main/m.bin")
            let url = try #require(redirect.headers["location"])
            var client = hub.anonymous
            client.patienceSeconds = patience
            result = await client.get(url, headers: headers)
            #expect(hub.server.faults.entries[0].fired == 1)
            #expect(isSame(await hub.anonymous.get(url).body, Self.content), "once only")
        }
        return result
    }

    @Test func cut() async throws {
        for byte in [0, 1, 700_000] {
            let answer = try await read(.cut(atByte: byte))
            #expect(answer.headers["content-length"] == "1500000")
            #expect(isSame(answer.body, Self.content[..<byte]))
            #expect(answer.ending == .closedEarly)
        }
    }

    @Test func reset() async throws {
        let before = try await read(.reset(atByte: nil))
        #expect(before.ending == .reset)
        #expect(before.byteCount == 0)
        let within = try await read(.reset(atByte: 300_000))
        #expect(within.ending == .reset)
        // An RST may overtake bytes on their way: what came is a beginning of the content.
        #expect(isSame(within.body, Self.content.prefix(within.body.count)))
        #expect(within.body.count <= 300_000)
    }

    @Test func stall() async throws {
        let before = try await read(.stall(atByte: nil), patience: 2)
        #expect(before.ending == .silence)
        #expect(before.byteCount == 0)
        let within = try await read(.stall(atByte: 600_000), patience: 2)
        #expect(within.ending == .silence)
        #expect(isSame(within.body, Self.content[..<600_000]))
    }

    @Test func ignoredRange() async throws {
        let answer = try await read(.ignoreRange, headers: ["Range": "bytes=5-9"])
        #expect(answer.status == 200)
        #expect(answer.headers["content-range"] == nil)
        #expect(isSame(answer.body, Self.content))
    }

    @Test func wrongBytes() async throws {
        let some = try await read(.corrupt(atByte: 1_000_000, count: 3))
        let changed = Self.content.indices.filter { some.body[$0] != Self.content[$0] }
        #expect(changed == [1_000_000, 1_000_001, 1_000_002])
        let all = try await read(.corrupt(atByte: 0, count: nil))
        #expect(isSame(all.body, Self.content.map { ~$0 }))
    }

    @Test func gzip() async throws {
        let answer = try await read(.gzip)
        #expect(answer.status == 200)
        #expect(answer.headers["content-encoding"] == "gzip")
        #expect(answer.headers["content-length"] == nil)
        #expect(isSame(gunzip(answer.body) ?? [], Self.content))
    }

    @Test func expired() async throws {
        let answer = try await read(.expired)
        #expect(answer.status == 403)
        #expect(answer.text == "Request has expired")
    }

    @Test func statuses() async throws {
        let refused = try await read(.status(503, retryAfter: 2))
        #expect(refused.status == 503)
        #expect(refused.headers["retry-after"] == "2")
        try await TestHub.with { hub in
            hub.server.faults.add(Fault(.rateLimited(seconds: 9), path: "*/tree/*", count: 1))
            let limited = await hub.anonymous.get(hub.api + "/tree/main")
            #expect(limited.status == 429)
            #expect(limited.headers["ratelimit"] == "\"api\";r=0;t=9")
            #expect(await hub.anonymous.get(hub.api + "/tree/main").status == 200)
        }
    }

    @Test func theNthCommitFails() async throws {
        try await TestHub.with { hub in
            hub.server.faults.add(
                Fault(.status(412, retryAfter: nil), path: "/api/*/commit/*", skip: 1, count: 1))
            hub.server.faults.add(
                Fault(.status(409, retryAfter: nil), path: "/api/*/commit/*", skip: 2, count: 1))
            var statuses: [Int] = []
            for number in 0..<5 {
                statuses.append(await hub.commit([TestHub.file("n", "\(number)")]).status)
            }
            #expect(statuses.filter { $0 == 412 }.count == 1)
            #expect(statuses[1] == 412)
            #expect(statuses.filter { $0 == 409 }.count == 1)
            #expect(hub.git("rev-list", "--count", "main") == "4", "the others landed")
        }
    }

    @Test func theAnswerIsLostAndTheCommitLanded() async throws {
        try await TestHub.with { hub in
            let head = hub.git("rev-parse", "main")
            hub.server.faults.add(Fault(.loseAnswer, path: "*/commit/*", count: 1))
            let answer = await hub.commit([TestHub.file("a", "a")])
            #expect(answer.byteCount == 0)
            #expect(answer.ending == .reset)
            #expect(hub.git("rev-parse", "main^") == head)
        }
    }

    @Test func theAnswerNeverComesAndTheCommitLanded() async throws {
        try await TestHub.with { hub in
            let head = hub.git("rev-parse", "main")
            hub.server.faults.add(Fault(.stallAnswer, endpoint: "commit", count: 1))
            var client = hub.writer
            client.patienceSeconds = 2
            let answer = await hub.commit([TestHub.file("a", "a")], by: client)
            #expect(answer.byteCount == 0)
            #expect(answer.ending == .silence)
            // The client may have given up before the commit was made; it is made all the same.
            for _ in 0..<200 where hub.git("rev-parse", "main") == head {
                try await Task.sleep(for: .milliseconds(100))
            }
            #expect(hub.git("rev-parse", "main^") == head)
        }
    }

    @Test func delayAndLinkHoldBack() async throws {
        let clock = ContinuousClock()
        let delayed = try await clock.measure {
            _ = try await read(.delay(milliseconds: 300))
        }
        #expect(delayed >= .milliseconds(300))
        // 1.5 MB in windows of 1 MB per 100 ms, after two round trips: at least 350 ms.
        var answer = WireAnswer()
        let linked = try await clock.measure {
            answer = try await read(.link(Link(rttMilliseconds: 100, windowBytes: 1_000_000)))
        }
        #expect(isSame(answer.body, Self.content))
        #expect(linked >= .milliseconds(350))
    }

    @Test func stoppingDoesNotWaitForTheStalled() async throws {
        try await TestHub.with(["m.bin": Self.content]) { hub in
            hub.server.faults.add(Fault(.stall(atByte: nil)))
            async let stalled = hub.anonymous.get(hub.api)
            while hub.server.counters.snapshot[.api].requests == 0 {
                try await Task.sleep(for: .milliseconds(2))
            }
            await hub.server.stop()
            #expect(await stalled.ending != .silence)
        }
    }
}
