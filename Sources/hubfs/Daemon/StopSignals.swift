import Glibc
import Logging
import Platform

/// SIGTERM and SIGINT as an orderly end.
///
/// The signals are blocked in every thread and taken by one that waits for nothing else, so that they
/// work in any state: while the source is resolved, and whatever is parked or stalled later. A second
/// signal does not wait for a commit any longer.
final class StopSignals: Sendable {
    private enum Phase {
        case starting
        case serving(End)
        /// A signal came before anything was served.
        case abandoned
        case ended
    }

    /// How a mount ends in order.
    struct End: Sendable {
        /// Begins it; must not wait.
        let begin: @Sendable () -> Void
        /// Seconds it may take, for commits too.
        var seconds = 12.0
        /// Gives up what takes long, and keeps it for later; must not wait.
        var hurry: @Sendable () -> Void = {}
        /// How the process ends when that takes too long as well; nil: by the signal's number.
        var code: ExitCode?
    }

    /// How long a start may go on after a signal, so that it is not cut between mounting and serving.
    private static let startGraceSeconds = 1.0
    /// How long the end may take after it was hurried: less than the two seconds that are left of
    /// what a container is given, when 8 of its 10 are used.
    private static let hurryGraceSeconds = 1.5

    private struct State {
        var phase = Phase.starting
        var signalCount = 0
    }

    private let state = Monitor(State())

    private static var signals: sigset_t {
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in [SIGTERM, SIGINT] { sigaddset(&signals, number) }
        return signals
    }

    /// Blocks the signals. Call before any other thread is made: they inherit it.
    ///
    /// - Parameter giveUp: Runs when the orderly end takes too long, before the process ends: takes
    ///   the mount away, if there is one.
    init(giveUp: @escaping @Sendable (_ reason: String) -> Void) {
        var signals = Self.signals
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        let state = self.state
        _ = Thread(name: "hubfs-signals") {
            let number = Self.waitForSignal(state)
            _ = Thread(name: "hubfs-signal-2") { _ = Self.waitForSignal(state) }
            Self.stop(state, signal: number, giveUp)
        }
    }

    /// From now on a signal ends the mount.
    ///
    /// - Returns: false when a signal has come already.
    func serve(_ end: End) -> Bool {
        state.update { state in
            if case .abandoned = state.phase { return false }
            state.phase = .serving(end)
            return true
        }
    }

    /// The orderly end is reached: nothing more will be forced.
    func end() {
        state.update { $0.phase = .ended }
    }

    private static func waitForSignal(_ state: Monitor<State>) -> Int32 {
        var signals = Self.signals
        var number: Int32 = 0
        while sigwait(&signals, &number) != 0 {}
        state.update { $0.signalCount += 1 }
        return number
    }

    private static func stop(
        _ state: Monitor<State>, signal: Int32, _ giveUp: (_ reason: String) -> Void
    ) {
        let end: End? = state.update { state in
            if case .serving(let end) = state.phase { return end }
            if case .starting = state.phase { state.phase = .abandoned }
            return nil
        }
        guard let end else {
            if hasEnded(state, within: startGraceSeconds) { return }
            giveUp("interrupted before the mount worked")
            _exit(128 + signal)
        }
        end.begin()
        if hasEnded(state, within: end.seconds, orUntilSignal: 2) { return }
        end.hurry()
        if hasEnded(state, within: hurryGraceSeconds) { return }
        giveUp("the end takes too long")
        _exit(end.code?.rawValue ?? 128 + signal)
    }

    /// Waits for the end.
    ///
    /// - Parameter count: When so many signals have come, it is not waited for any longer.
    private static func hasEnded(
        _ state: Monitor<State>, within seconds: Double, orUntilSignal count: Int = .max
    ) -> Bool {
        state.wait(until: .now.advanced(bySeconds: seconds)) { state -> Bool? in
            if case .ended = state.phase { return true }
            return state.signalCount >= count ? false : nil
        } ?? false
    }
}

extension StopSignals.End {
    /// The same for a mount that commits at its end. A container is killed ten seconds after it was told to
    /// end.
    ///
    /// - Parameters:
    ///   - timeout: How long that may take, if somebody said so.
    ///   - stop: Makes the commits end soon; must not wait.
    func afterCommits(
        _ timeout: Seconds?, _ logger: Logger, stop: @escaping @Sendable () -> Void
    ) -> StopSignals.End {
        var end = self
        let seconds = timeout?.value ?? (getpid() == 1 ? 8 : 60)
        end.seconds = seconds
        end.hurry = {
            logger.error(
                """
                the commit is not waited for any longer (--shutdown-timeout, \(seconds) s): its edits are \
                kept for the next writable mount
                """)
            stop()
        }
        end.code = .unsent
        return end
    }
}
