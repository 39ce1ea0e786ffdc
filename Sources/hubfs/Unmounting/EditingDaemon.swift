import Platform
import WriteBack

/// The daemon of a writable mount, as those see it who end the mount or ask for a commit.
struct EditingDaemon {
    private let mountPoint: String
    private let folders = ControlFolder.existing(Environment())
    private let usual: CommitDesk.Ending = .commit

    private static let patienceSeconds = 5.0

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

    /// Says what the end of the mount does; nil leaves it as it is.
    func setEnding(_ ending: CommitDesk.Ending?) throws(Failure) {
        guard let ending else { return }
        try exchange { client throws(ControlClient.Silence) in
            try client.ask(.ending(ending))
            _ = try client.status(until: Self.deadline)
        }
    }

    /// The mount does not end after all.
    func resetEnding() throws(Failure) { try setEnding(usual) }

    /// Commits, or does what else was said, and waits until it is done.
    func finish(showsProgress: Bool, patience: Double?) throws(Failure) {
        let result = try wait(for: .finish, showsProgress: showsProgress, patience: patience)
        try Self.show(result)
    }

    /// Commits all edits and waits until they are at the Hub.
    func commit(_ wish: CommitWish, showsProgress: Bool) throws(Failure) {
        try Self.show(
            try wait(for: .commit(wish), showsProgress: showsProgress, patience: nil))
    }

    /// Moves to the head of the branch.
    ///
    /// - Returns: the commit it is at now.
    func pull() throws(Failure) -> String {
        let result = try wait(for: .pull, showsProgress: false, patience: nil)
        if let sentence = result.sentence { throw Failure(result.code, sentence) }
        return result.commit
    }

    private static func show(_ result: CommitResult) throws(Failure) {
        for line in result.localOnly {
            writeToStandardError("hubfs: stays in the workspace: \(line)\n")
        }
        let more = result.localOnlyCount - result.localOnly.count
        if more > 0 { writeToStandardError("hubfs: and \(more) more\n") }
        if result.changeCount > 0 {
            do {
                try writeLine(
                    "committed \(result.changeCount) change\(result.changeCount == 1 ? "" : "s") as "
                        + result.commit + (result.ref.isEmpty ? "" : " on " + result.ref))
            } catch {
                throw Failure(.failure, "the commit is at the Hub: \(result.commit)")
            }
        }
        if let sentence = result.sentence { throw Failure(result.code, sentence) }
    }

    private func wait(
        for question: ControlQuestion, showsProgress: Bool, patience: Double?
    ) throws(Failure) -> CommitResult {
        let deadline = patience.map { MonotonicInstant.now.advanced(bySeconds: $0) }
        var line = ProgressLine(isShown: showsProgress)
        defer { line.clear() }
        let client: ControlClient
        do throws(ControlClient.Silence) {
            client = try ControlClient(mountPoint: mountPoint, folders: folders)
            try client.ask(question)
        } catch {
            throw Failure(.unsent, "\(mountPoint): \(error.sentence); the edits are kept")
        }
        defer { client.close() }
        do throws(ControlClient.Silence) {
            return try client.commitResult(until: deadline) {
                guard let status = try? currentStatus() else { return }
                line.show(status)
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

/// One line on the terminal that is written over: step, bytes, rate and time left.
private struct ProgressLine {
    private let isShown: Bool
    private let start = MonotonicInstant.now
    private var step = ""
    private var stepStart = MonotonicInstant.now
    private var width = 0

    init(isShown: Bool) { self.isShown = isShown }

    mutating func show(_ status: EditStatus) {
        guard isShown else { return }
        if status.step != step {
            step = status.step
            stepStart = .now
        }
        var text = step
        if status.totalBytes > 0 {
            let seconds = max(MonotonicInstant.now.seconds(since: stepStart), 0.1)
            let rate = Double(status.doneBytes) / seconds
            text +=
                " \(readableSize(status.doneBytes)) of \(readableSize(status.totalBytes)), "
                + "\(readableSize(UInt64(rate)))/s"
            if rate > 0, status.totalBytes > status.doneBytes {
                let left = Double(status.totalBytes - status.doneBytes) / rate
                text += ", \(readableSpan(seconds: Int64(left))) left"
            }
        }
        let padding = String(repeating: " ", count: max(0, width - text.utf8.count))
        width = text.utf8.count
        writeToStandardError("\r" + text + padding)
    }

    mutating func clear() {
        guard isShown, width > 0 else { return }
        writeToStandardError("\r" + String(repeating: " ", count: width) + "\r")
        width = 0
    }
}
