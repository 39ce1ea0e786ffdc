extension Task where Failure == Never {
    /// What the task answers, if it does so before the deadline; it goes on in any case.
    func value(until deadline: ContinuousClock.Instant) async -> Success? {
        let (answers, continuation) = AsyncStream.makeStream(
            of: Success?.self, bufferingPolicy: .bufferingOldest(1))
        Task<Void, Never> { continuation.yield(await value) }
        let watch = Task<Void, Never> {
            try? await Task<Never, Never>.sleep(until: deadline, clock: .continuous)
            continuation.yield(nil)
        }
        defer { watch.cancel() }
        for await answer in answers { return answer }
        return nil
    }
}
