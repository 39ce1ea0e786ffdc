import Testing

@testable import RepoFS

@Suite struct FollowScheduleTests {
    @Test func anAnswerIsFollowedByTheInterval() {
        var schedule = FollowSchedule(intervalSeconds: 30)
        #expect((0..<3).map { _ in schedule.answered() } == [30, 30, 30])
    }

    @Test func failuresDoubleTheWaitUpToALimitAndAnAnswerEndsThat() {
        var schedule = FollowSchedule(intervalSeconds: 30)
        #expect((0..<6).map { _ in schedule.failed() } == [60, 120, 240, 300, 300, 300])
        #expect(schedule.answered() == 30)
        #expect(schedule.failed() == 60)
    }

    @Test func aLongIntervalIsNeverShortened() {
        var schedule = FollowSchedule(intervalSeconds: 3000)
        #expect(schedule.failed() == 3000)
    }

    @Test func aShortIntervalStaysShort() {
        var schedule = FollowSchedule(intervalSeconds: 0.5)
        #expect((0..<7).map { _ in schedule.failed() } == [1, 2, 4, 8, 16, 16, 16])
    }
}
