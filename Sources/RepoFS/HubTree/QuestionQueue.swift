import Platform

/// Lets a bounded number of questions be under way at once; others wait for their turn.
final class QuestionQueue: Sendable {
    /// Starts a question, which says when it is answered.
    typealias Question = @Sendable (_ done: @escaping @Sendable () -> Void) -> Void

    private struct State {
        var runningCount = 0
        var waiting: [Question] = []
        var isClosed = false
    }

    private let runningCountMax: Int
    private let waitingCountMax: Int
    private let state = Guarded(State(), rank: .leaf)

    init(runningCountMax: Int, waitingCountMax: Int) {
        self.runningCountMax = runningCountMax
        self.waitingCountMax = waitingCountMax
    }

    /// - Returns: false when too many wait, or after `close`: the question is not asked.
    func submit(_ question: @escaping Question) -> Bool {
        let (starts, isTaken) = state.withLock { state in
            if state.isClosed { return (false, false) }
            if state.runningCount < runningCountMax {
                state.runningCount += 1
                return (true, true)
            }
            guard state.waiting.count < waitingCountMax else { return (false, false) }
            state.waiting.append(question)
            return (false, true)
        }
        if starts { start(question) }
        return isTaken
    }

    /// Forgets what waits and takes nothing more.
    func close() {
        state.withLock { state in
            state.isClosed = true
            state.waiting = []
        }
    }

    private func start(_ question: Question) {
        question { [self] in
            let next = state.withLock { state -> Question? in
                if !state.waiting.isEmpty { return state.waiting.removeFirst() }
                state.runningCount -= 1
                return nil
            }
            if let next { start(next) }
        }
    }
}
