import Logging
import Platform

/// How long each step of a commit took, for the log. A series of commits counts as one.
struct StepTimes {
    private var step = CommitProgress.Step.idle
    private var since = MonotonicInstant(nanoseconds: 0)
    private var seconds: [CommitProgress.Step: Double] = [:]

    /// Notes the step a commit is in from `now` on.
    mutating func enter(_ next: CommitProgress.Step, now: MonotonicInstant) {
        if step != .idle { seconds[step, default: 0] += now.seconds(since: since) }
        if step == .idle { seconds = [:] }
        (step, since) = (next, now)
    }

    /// `hashing=1.204s uploading=3.410s …`; the step under way is counted up to `now`.
    func metadata(now: MonotonicInstant) -> Logger.Metadata {
        var seconds = seconds
        seconds[step, default: 0] += now.seconds(since: since)
        return Logger.Metadata(
            uniqueKeysWithValues: seconds.map { step, seconds in
                let milliseconds = Int((seconds * 1000).rounded())
                let fraction = String(milliseconds % 1000 + 1000).dropFirst()
                return (step.rawValue, "\(milliseconds / 1000).\(fraction)s")
            })
    }
}
