import Platform
import Testing

@testable import HTTPTransport

struct DispatcherTests {
    private static let never = MonotonicInstant(nanoseconds: .max)

    private func dispatcher(small: Int = 4, queue: Int = 100, loops: Int = 2) -> Dispatcher {
        Dispatcher(
            limits: Dispatcher.Limits(
                streamCountPerHostMax: 2, smallCountPerHostMax: small, uploadCountPerHostMax: 1,
                queueCountMax: queue, loopCount: loops))
    }

    private func submit(
        _ dispatcher: inout Dispatcher, _ id: UInt64, host: String = "http://a",
        lane: HTTPRequest.Lane = .small, isUrgent: Bool = true,
        deadline: MonotonicInstant = DispatcherTests.never
    ) -> Dispatcher.Admission {
        dispatcher.submit(
            id, origin: host, lane: lane, isUrgent: isUrgent, queueDeadline: deadline)
    }

    @Test func requestsAreSpreadOverLoopsAndThenQueued() {
        var dispatcher = dispatcher()
        let admissions = (1...5).map { submit(&dispatcher, $0) }
        #expect(
            admissions == [
                .start(loop: 0), .start(loop: 1), .start(loop: 0), .start(loop: 1), .queued,
            ])
        let answer1 = dispatcher.finish(2)
        #expect(answer1 == [.init(id: 5, loop: 1)])
    }

    @Test func oneAfterAnotherStaysOnOneLoop() {
        var dispatcher = dispatcher()
        for id in 1...10 as ClosedRange<UInt64> {
            let answer2 = submit(&dispatcher, id)
            #expect(answer2 == .start(loop: 0))
            let answer3 = dispatcher.finish(id)
            #expect(answer3 == [])
        }
    }

    @Test func urgentRequestsLeaveTheQueueFirst() {
        var dispatcher = dispatcher(small: 1)
        _ = submit(&dispatcher, 1)
        let answer4 = submit(&dispatcher, 2, isUrgent: false)
        #expect(answer4 == .queued)
        let answer5 = submit(&dispatcher, 3)
        #expect(answer5 == .queued)
        let answer6 = dispatcher.finish(1)
        #expect(answer6.map(\.id) == [3])
        let answer7 = dispatcher.finish(3)
        #expect(answer7.map(\.id) == [2])
    }

    @Test func theLastConnectionIsKeptForUrgentRequests() {
        var dispatcher = dispatcher(small: 4)
        let patient = (1...4).map { submit(&dispatcher, $0, isUrgent: false) }
        #expect(patient.last == .queued)
        #expect(dispatcher.runningCount == 3)
        let answer8 = submit(&dispatcher, 5)
        #expect(answer8 == .start(loop: 1))
    }

    @Test func hostsAndLanesAreLimitedApart() {
        var dispatcher = dispatcher(small: 1)
        let answer9 = submit(&dispatcher, 1)
        #expect(answer9 == .start(loop: 0))
        let answer10 = submit(&dispatcher, 2, host: "http://b")
        #expect(answer10 == .start(loop: 0))
        let answer11 = submit(&dispatcher, 3, lane: .stream)
        #expect(answer11 == .start(loop: 0))
        let answer12 = submit(&dispatcher, 4)
        #expect(answer12 == .queued)
    }

    @Test func aFullQueueRefuses() {
        var dispatcher = dispatcher(small: 1, queue: 1)
        _ = submit(&dispatcher, 1)
        let answer13 = submit(&dispatcher, 2)
        #expect(answer13 == .queued)
        let answer14 = submit(&dispatcher, 3)
        #expect(answer14 == .full)
        let answer15 = dispatcher.withdraw(2)
        #expect(answer15)
        let answer16 = dispatcher.withdraw(2)
        #expect(!answer16)
        let answer17 = submit(&dispatcher, 4)
        #expect(answer17 == .queued)
    }

    @Test func overdueRequestsAreTakenOut() {
        var dispatcher = dispatcher(small: 1)
        _ = submit(&dispatcher, 1)
        _ = submit(&dispatcher, 2, deadline: MonotonicInstant(nanoseconds: 10))
        _ = submit(&dispatcher, 3, deadline: MonotonicInstant(nanoseconds: 20))
        let answer18 = dispatcher.takeOverdue(now: MonotonicInstant(nanoseconds: 15))
        #expect(answer18 == [2])
        let answer19 = dispatcher.finish(1)
        #expect(answer19.map(\.id) == [3])
    }
}
