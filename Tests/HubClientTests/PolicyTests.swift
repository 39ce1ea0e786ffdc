import HTTPTransport
import Platform
import Testing

@testable import HubClient

private func at(_ seconds: Double) -> MonotonicInstant {
    MonotonicInstant(nanoseconds: 0).advanced(bySeconds: 1000 + seconds)
}

struct RetryPolicyTests {
    @Test func waitsGrowAndEnd() {
        var limits = RetryPolicy.Limits()
        limits.secondsWithoutProgressMax = 1000
        var policy = RetryPolicy(limits: limits, now: at(0))
        var waits: [Double] = []
        while case .retry(let seconds) = policy.failed(.connection, now: at(0)) {
            waits.append(seconds)
        }
        #expect(waits == [0.1, 1, 2, 4, 8, 8])
    }

    @Test func noWaitReachesBeyondTheDeadline() {
        var policy = RetryPolicy(now: at(0))
        #expect(policy.deadline == at(30))
        let late = policy.failed(.connection, now: at(29.95))
        #expect(late == .giveUp)
    }

    @Test func aServersWishIsKept() {
        var policy = RetryPolicy(now: at(0))
        let asked = policy.failed(.busy(askedSeconds: 6), now: at(0))
        #expect(asked == .retry(afterSeconds: 6))
        let tooLong = policy.failed(.busy(askedSeconds: 31), now: at(6))
        #expect(tooLong == .giveUp)
    }

    @Test func progressBeginsAnewButNotForEver() {
        var limits = RetryPolicy.Limits()
        limits.failureCountMax = 10
        var policy = RetryPolicy(limits: limits, now: at(0))
        var retryCount = 0
        while case .retry(let seconds) = policy.failed(.connection, now: at(0)) {
            #expect(seconds == 0.1)
            retryCount += 1
            policy.progressed(now: at(5))
            #expect(policy.deadline == at(35))
        }
        #expect(retryCount == 10)
    }

    @Test func aSecondMalformedAnswerIsFinal() {
        var policy = RetryPolicy(now: at(0))
        let first = policy.failed(.malformed, now: at(0))
        let second = policy.failed(.malformed, now: at(1))
        #expect(first == .retry(afterSeconds: 0.1))
        #expect(second == .giveUp)
    }
}

struct RateLimitGateTests {
    private func limit(_ remaining: Int, _ seconds: Int) throws -> RateLimit {
        try #require(RateLimit(#""api";r=\#(remaining);t=\#(seconds)"#))
    }

    @Test func headersAreRead() throws {
        let limit = try #require(RateLimit(#""resolvers";r=2999;t=120"#))
        #expect(limit.name == "resolvers" && limit.remaining == 2999)
        #expect(limit.secondsToReset == 120)
        #expect(RateLimit(#""api"; r=0; t=5"#)?.remaining == 0)
        for bad in ["", "api", "\"api\";r=x;t=1", "\"api\";r=1", "\"api\";r=-1;t=1", ";r=1;t=1"] {
            #expect(RateLimit(bad) == nil)
        }
    }

    @Test func withoutNewsEverythingGoes() {
        var gate = RateLimitGate()
        let answers = (0..<1000).map { _ in
            gate.admit(.api, .prefetch, now: at(0), deadline: at(30))
        }
        #expect(answers.allSatisfy { $0 == .go })
    }

    @Test func prefetchLeavesHalfToDemand() throws {
        var gate = RateLimitGate()
        gate.learn(try limit(10, 100), now: at(0))
        let prefetches = (0..<8).map { _ in
            gate.admit(.api, .prefetch, now: at(0), deadline: at(30))
        }
        #expect(prefetches.filter { $0 == .go }.count == 5)
        #expect(prefetches.last == .refuse(secondsToReset: 100))
        let demands = (0..<6).map { _ in gate.admit(.api, .demand, now: at(0), deadline: at(30)) }
        #expect(demands.filter { $0 == .go }.count == 5)
        #expect(demands.last == .refuse(secondsToReset: 100))
        let other = gate.admit(.resolvers, .prefetch, now: at(0), deadline: at(30))
        #expect(other == .go)
    }

    @Test func demandWaitsForAResetWithinItsDeadline() throws {
        var gate = RateLimitGate()
        gate.learn(try limit(0, 10), now: at(0))
        let soon = gate.admit(.api, .demand, now: at(1), deadline: at(30))
        let late = gate.admit(.api, .demand, now: at(1), deadline: at(9))
        let after = gate.admit(.api, .demand, now: at(10), deadline: at(30))
        #expect(soon == .wait(until: at(10)))
        #expect(late == .refuse(secondsToReset: 9))
        #expect(after == .go)
    }

    @Test func answersThatOvertakeEachOtherDoNotRaiseTheCount() throws {
        var gate = RateLimitGate()
        gate.learn(try limit(1, 100), now: at(0))
        gate.learn(try limit(9, 99), now: at(1))
        let first = gate.admit(.api, .demand, now: at(1), deadline: at(30))
        let second = gate.admit(.api, .demand, now: at(1), deadline: at(30))
        #expect(first == .go && second == .refuse(secondsToReset: 99))
    }

    @Test func aRefusalEmptiesTheWindow() throws {
        var gate = RateLimitGate()
        gate.learn(try limit(100, 100), now: at(0))
        gate.exhausted(.api, seconds: 5, now: at(0))
        let answer = gate.admit(.api, .demand, now: at(1), deadline: at(30))
        #expect(answer == .wait(until: at(5)))
    }
}

struct SignedURLsTests {
    private func place(_ text: String, isOurs: Bool = false) throws -> ContentURL {
        ContentURL(url: try #require(WebURL(text)), isOurs: isOurs)
    }

    private func content(_ number: Int) -> ContentID {
        let digits = String(number, radix: 16)
        return .git(
            BlobOID(hex: String(repeating: "0", count: 40 - digits.count) + digits)!)
    }

    @Test func anExpiredURLIsNotUsed() throws {
        var urls = SignedURLs()
        let place = try place("http://c/1")
        urls.remember(place, of: content(1), seconds: 10, now: at(0))
        let before = urls.place(of: content(1), now: at(9))
        let after = urls.place(of: content(1), now: at(10))
        #expect(before == place && after == nil)
    }

    @Test func onlyTheRefusedURLIsForgotten() throws {
        var urls = SignedURLs()
        let (old, new) = (try place("http://c/old"), try place("http://c/new"))
        urls.remember(new, of: content(1), seconds: 10, now: at(0))
        urls.forget(old, of: content(1))
        let kept = urls.place(of: content(1), now: at(1))
        #expect(kept == new)
        urls.forget(new, of: content(1))
        let gone = urls.place(of: content(1), now: at(1))
        #expect(gone == nil)
    }

    @Test func theLeastUsedAreDroppedFirst() throws {
        var urls = SignedURLs(countMax: 10)
        for number in 0..<10 {
            urls.remember(
                try place("http://c/\(number)"), of: content(number), seconds: 9, now: at(0))
        }
        _ = urls.place(of: content(0), now: at(1))
        urls.remember(try place("http://c/10"), of: content(10), seconds: 9, now: at(0))
        let known = (0...10).filter { urls.place(of: content($0), now: at(1)) != nil }
        #expect(known.count <= 10)
        #expect(known.contains(0) && known.contains(10) && !known.contains(1))
    }

    @Test(arguments: [
        ("http://c/x?Expires=4600&Signature=s", 3540.0), ("http://c/x?X-Amz-Expires=80", 70),
        ("http://c/x", 262.5), ("http://c/x?Expires=900", -87.5),
    ])
    func lifetimesAreReadFromTheURL(url: String, seconds: Double) throws {
        #expect(SignedURLs.usableSeconds(try place(url), secondsSince1970: 1000) == seconds)
    }
}

struct RangeAnswerTests {
    private func answer(
        _ status: Int, _ headers: [(String, String)], _ range: Range<UInt64> = 10..<20,
        size: UInt64 = 100
    ) -> RangeAnswer {
        RangeAnswer(HTTPHead(status: status, headers: headers), asked: range, size: size)
    }

    private func isMalformed(_ answer: RangeAnswer) -> Bool {
        if case .malformed = answer { true } else { false }
    }

    @Test func exactlyTheAskedRangeIsTaken() {
        let good = [("Content-Range", "bytes 10-19/100"), ("Content-Length", "10")]
        #expect(answer(206, good) == .body(skipCount: 0))
        #expect(answer(206, [good[0], ("Content-Encoding", "identity")]) == .body(skipCount: 0))
    }

    @Test(arguments: [
        "bytes 10-18/100", "bytes 9-19/100", "bytes 10-19/101", "bytes 10-19/*", "bytes */100", "",
    ])
    func otherRangesAreRefused(field: String) {
        #expect(isMalformed(answer(206, [("Content-Range", field)])))
    }

    @Test func aPartWithoutRangeOrWithAnotherLengthIsRefused() {
        #expect(isMalformed(answer(206, [])))
        let headers = [("Content-Range", "bytes 10-19/100"), ("Content-Length", "11")]
        #expect(isMalformed(answer(206, headers)))
    }

    @Test func aWholeContentIsReadUpToTheRangeIfThatIsNear() {
        #expect(answer(200, [("Content-Length", "100")]) == .body(skipCount: 10))
        #expect(answer(200, [], 0..<100) == .body(skipCount: 0))
        #expect(isMalformed(answer(200, [("Content-Length", "99")])))
        let far = RangeAnswer.skipCountMax + 1
        #expect(isMalformed(answer(200, [], far..<far + 1, size: far + 10)))
    }

    @Test func encodedBodiesAreRefused() {
        let headers = [("Content-Encoding", "gzip"), ("Content-Range", "bytes 10-19/100")]
        #expect(isMalformed(answer(206, headers)))
    }

    @Test func statusesAreSorted() {
        #expect(answer(302, [("Location", "/x")]) == .redirect(to: "/x"))
        #expect(isMalformed(answer(302, [])))
        for status in [400, 401, 403, 404, 410] { #expect(answer(status, []) == .refused) }
        #expect(answer(503, [("Retry-After", "3")]) == .busy(askedSeconds: 3))
        let limited = [("RateLimit", "\"api\";r=0;t=7")]
        #expect(answer(429, limited) == .busy(askedSeconds: 8))
        for status in [204, 416, 501] { #expect(isMalformed(answer(status, []))) }
    }
}
