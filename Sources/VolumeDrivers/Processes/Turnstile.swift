/// Lets one in at a time, in the order of arrival, and nobody waits for ever.
package actor Turnstile {
    private struct Waiter {
        let number: Int
        let continuation: CheckedContinuation<Bool, Never>
    }

    /// More than that are sent away: whoever asks so often does not wait for an answer.
    private static let waiterCountMax = 100

    private var isTaken = false
    private var waiters: [Waiter] = []
    private var nextNumber = 0

    /// How many stand in line.
    var waiterCount: Int { waiters.count }

    package init() {}

    /// - Returns: true when the turn came before the deadline: then `leave` must follow.
    package func enter(until deadline: ContinuousClock.Instant) async -> Bool {
        guard isTaken else {
            isTaken = true
            return true
        }
        guard waiters.count < Self.waiterCountMax else { return false }
        let number = nextNumber
        nextNumber += 1
        let watch = Task {
            do { try await Task.sleep(until: deadline, clock: .continuous) } catch { return }
            sendAway(number)
        }
        defer { watch.cancel() }
        return await withCheckedContinuation { continuation in
            waiters.append(Waiter(number: number, continuation: continuation))
        }
    }

    /// Lets the next one in.
    package func leave() {
        if waiters.isEmpty {
            isTaken = false
        } else {
            waiters.removeFirst().continuation.resume(returning: true)
        }
    }

    private func sendAway(_ number: Int) {
        guard let index = waiters.firstIndex(where: { $0.number == number }) else { return }
        waiters.remove(at: index).continuation.resume(returning: false)
    }
}
