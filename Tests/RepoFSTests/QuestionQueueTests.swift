import Platform
import Testing

@testable import RepoFS

@Suite struct QuestionQueueTests {
    /// Questions that are under way until they are told to end.
    private final class Asked: Sendable {
        let numbers = Guarded<[Int]>([], rank: .leaf)
        private let endings = Guarded<[@Sendable () -> Void]>([], rank: .leaf)

        func ask(_ number: Int, in queue: QuestionQueue) -> Bool {
            queue.submit { [self] done in
                numbers.withLock { $0.append(number) }
                endings.withLock { $0.append(done) }
            }
        }

        func endFirst() {
            let first = endings.withLock { $0.isEmpty ? nil : $0.removeFirst() }
            first?()
        }
    }

    @Test func soManyAreUnderWayAndTheOthersFollowInOrder() {
        let queue = QuestionQueue(runningCountMax: 2, waitingCountMax: 3)
        let asked = Asked()
        #expect(
            (0..<7).map { asked.ask($0, in: queue) } == [
                true, true, true, true, true, false, false,
            ])
        for count in [2, 3, 4, 5, 5, 5] {
            #expect(asked.numbers.withLock { $0 } == Array(0..<count))
            asked.endFirst()
        }
        #expect(asked.ask(7, in: queue))
        #expect(asked.numbers.withLock { $0 } == [0, 1, 2, 3, 4, 7])
    }

    @Test func afterItsEndNothingIsAsked() {
        let queue = QuestionQueue(runningCountMax: 1, waitingCountMax: 3)
        let asked = Asked()
        for number in 0..<3 { #expect(asked.ask(number, in: queue)) }
        queue.close()
        #expect(!asked.ask(3, in: queue))
        asked.endFirst()
        #expect(asked.numbers.withLock { $0 } == [0])
    }
}
