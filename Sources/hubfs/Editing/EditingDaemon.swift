import Platform
import WriteBack

/// The daemon of a writable mount, as those see it who end the mount or ask for a commit.
struct EditingDaemon {
    let mountPoint: String
    let folders = ControlFolder.existing(Environment())

    private static let patienceSeconds = 5.0

    /// - Parameter mountPoint: Of a mount known to be writable.
    init(answeringAt mountPoint: String) { self.mountPoint = mountPoint }

    /// - Returns: nil for a mount that is read only, or whose daemon does not answer.
    init?(at mountPoint: String) throws(Failure) {
        self.mountPoint = mountPoint
        do throws(ControlClient.Silence) {
            let client = try ControlClient(mountPoint: mountPoint, folders: folders)
            defer { client.close() }
            try client.ask(.status)
            let status = try client.status(until: Self.deadline)
            if status.edits == nil { return nil }
        } catch {
            return nil
        }
    }

    private static var deadline: MonotonicInstant { .now.advanced(bySeconds: patienceSeconds) }

    /// Whether a bucket is mounted there.
    func showsBucket() throws(Failure) -> Bool {
        var isBucket = false
        try exchange { client throws(ControlClient.Silence) in
            try client.ask(.status)
            isBucket = try client.status(until: Self.deadline).showsBucket
        }
        return isBucket
    }

    /// Says what the end of the mount does; nil lets it do what was said when it was mounted.
    func setEnding(_ ending: CommitDesk.Ending?) throws(Failure) {
        try exchange { client throws(ControlClient.Silence) in
            try client.ask(.ending(ending))
            _ = try client.status(until: Self.deadline)
        }
    }

    /// A connection on which the daemon tells how the end of the mount went; to be had before the
    /// mount ends, because the daemon may end with it. It has heard the question when this returns:
    /// one that it hears after its own end of the mount would wait for another.
    func outcome() throws(Failure) -> ControlClient {
        do throws(ControlClient.Silence) {
            let client = try ControlClient(mountPoint: mountPoint, folders: folders)
            try client.ask(.outcome)
            // Peers are heard in turn.
            let next = try ControlClient(mountPoint: mountPoint, folders: folders)
            defer { next.close() }
            try next.ask(.status)
            _ = try next.status(until: Self.deadline)
            return client
        } catch {
            throw Failure(.timedOut, "\(mountPoint): \(error.sentence)")
        }
    }

    /// Commits, or does what else was said, and waits until it is done.
    ///
    /// - Parameters:
    ///   - outcome: From before the unmounting; closed here.
    ///   - isInterrupted: Asked about twice a second: whether to wait no longer.
    func finish(
        _ outcome: ControlClient, showsProgress: Bool, patience: Double?,
        isInterrupted: () -> Bool = { false }
    ) throws(Failure) -> CommitResult {
        defer { outcome.close() }
        // The mount may be held elsewhere, and not end by itself. A daemon that is gone has done it.
        let request = try? ControlClient(mountPoint: mountPoint, folders: folders)
        defer { request?.close() }
        try? request?.ask(.finish)
        return try result(
            over: outcome, showsProgress: showsProgress, patience: patience,
            isInterrupted: isInterrupted)
    }

    /// Commits and waits until it is at the Hub.
    func commit(_ wish: CommitWish, showsProgress: Bool) throws(Failure) -> CommitResult {
        let question = ControlQuestion.commit(wish)
        try checkLength(of: question)
        let result = try wait(for: question, showsProgress: showsProgress, patience: nil)
        try result.show()
        return result
    }

    /// Decides conflicts.
    ///
    /// - Parameter paths: From the mounted directory; "" for every conflict.
    func resolve(_ paths: [String], for side: ConflictSide) throws(Failure) -> CommitResult {
        let question = ControlQuestion.resolve(paths: paths, side: side)
        try checkLength(of: question)
        let result = try wait(for: question, showsProgress: false, patience: nil)
        if let sentence = result.sentence { throw Failure(result.code, sentence) }
        return result
    }

    private func checkLength(of question: ControlQuestion) throws(Failure) {
        guard question.line.utf8.count < ControlSocket.lineBytesMax else {
            throw Failure(.usage, "too many paths at once")
        }
    }

    /// Gives up the edits of these paths.
    ///
    /// - Parameter paths: From the mounted directory; "" for everything.
    /// - Returns: how many there were.
    func discard(_ paths: [String]) throws(Failure) -> Int {
        let question = ControlQuestion.discard(paths: paths)
        try checkLength(of: question)
        let result = try wait(for: question, showsProgress: false, patience: nil)
        if let sentence = result.sentence { throw Failure(result.code, sentence) }
        return result.changeCount
    }

    /// Moves to the head of the branch.
    ///
    /// - Returns: the commit it is at now; of the whole Hub a line for each repo that is edited.
    func pull() throws(Failure) -> [String] {
        let result = try wait(for: .pull, showsProgress: false, patience: nil)
        if let sentence = result.sentence { throw Failure(result.code, sentence) }
        if result.commit.isEmpty { return result.repos.map { "\($0.path) \($0.commit)" } }
        return [result.commit]
    }

    private func wait(
        for question: ControlQuestion, showsProgress: Bool, patience: Double?
    ) throws(Failure) -> CommitResult {
        let client: ControlClient
        do throws(ControlClient.Silence) {
            client = try ControlClient(mountPoint: mountPoint, folders: folders)
            try client.ask(question)
        } catch {
            throw Failure(.unsent, "\(mountPoint): \(error.sentence); the edits are kept")
        }
        defer { client.close() }
        return try result(over: client, showsProgress: showsProgress, patience: patience)
    }

    private func result(
        over client: ControlClient, showsProgress: Bool, patience: Double?,
        isInterrupted: () -> Bool = { false }
    ) throws(Failure) -> CommitResult {
        let deadline = patience.map { MonotonicInstant.now.advanced(bySeconds: $0) }
        var line = ProgressLine(isShown: showsProgress)
        defer { line.clear() }
        do throws(ControlClient.Silence) {
            return try client.commitResult(until: deadline) {
                if let status = try? currentStatus() { line.show(status) }
                return !isInterrupted()
            }
        } catch .hangs {
            throw Failure(
                .timedOut,
                "the commit takes longer than was to be waited; the daemon goes on with it")
        } catch {
            throw Failure(
                .unsent, "\(mountPoint): the daemon ended before the commit; the edits are kept")
        }
    }

    private func currentStatus() throws(ControlClient.Silence) -> EditStatus? {
        let client = try ControlClient(mountPoint: mountPoint, folders: folders)
        defer { client.close() }
        try client.ask(.status)
        return try client.status(until: Self.deadline).edits
    }

    private func exchange(
        _ body: (ControlClient) throws(ControlClient.Silence) -> Void
    ) throws(Failure) {
        do throws(ControlClient.Silence) {
            let client = try ControlClient(mountPoint: mountPoint, folders: folders)
            defer { client.close() }
            try body(client)
        } catch {
            throw Failure(.timedOut, "\(mountPoint): \(error.sentence)")
        }
    }
}
