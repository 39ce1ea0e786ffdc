import Testing

@testable import VolumeDrivers

@Suite struct TurnstileTests {
    private let soon = ContinuousClock.now + .seconds(30)

    @Test func oneAtATimeInTheOrderOfArrival() async {
        let turnstile = Turnstile()
        #expect(await turnstile.enter(until: soon))
        var waiters: [Task<Int, Never>] = []
        for number in 0..<3 {
            waiters.append(
                Task {
                    #expect(await turnstile.enter(until: soon))
                    return number
                })
            // The next one asks when this one stands in line.
            while await turnstile.waiterCount <= number { await Task.yield() }
        }
        for number in 0..<3 {
            await turnstile.leave()
            #expect(await waiters[number].value == number)
            #expect(await turnstile.waiterCount == 2 - number)
        }
        await turnstile.leave()
        #expect(await turnstile.enter(until: soon))
    }

    @Test func whoseTimeIsOverIsSentAwayAndLosesNobodysTurn() async {
        let turnstile = Turnstile()
        #expect(await turnstile.enter(until: soon))
        #expect(await !turnstile.enter(until: .now))
        #expect(await turnstile.waiterCount == 0)
        await turnstile.leave()
        #expect(await turnstile.enter(until: .now))
    }
}
