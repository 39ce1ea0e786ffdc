import Glibc
import Platform

/// SIGTERM and SIGINT as an orderly end.
///
/// The signals are blocked in every thread and taken by one that waits for nothing else, so that they
/// work in any state: while the source is resolved, and whatever is parked or stalled later.
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

    private let phase = Monitor(Phase.starting)

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
        let phase = self.phase
        _ = Thread(name: "hubfs-signals") {
            var signals = Self.signals
            var number: Int32 = 0
            while sigwait(&signals, &number) != 0 {}
            Self.stop(phase, signal: number, giveUp)
        }
    }

    /// From now on a signal ends the mount.
    ///
    /// - Returns: false when a signal has come already.
    func serve(_ end: End) -> Bool {
        phase.update { phase in
            if case .abandoned = phase { return false }
            phase = .serving(end)
            return true
        }
    }

    /// The orderly end is reached: nothing more will be forced.
    func end() {
        phase.update { $0 = .ended }
    }

    private static func stop(
        _ phase: Monitor<Phase>, signal: Int32, _ giveUp: (_ reason: String) -> Void
    ) {
        let end: End? = phase.update { phase in
            if case .serving(let end) = phase { return end }
            if case .starting = phase { phase = .abandoned }
            return nil
        }
        guard let end else {
            if hasEnded(phase, within: startGraceSeconds) { return }
            giveUp("interrupted before the mount worked")
            _exit(128 + signal)
        }
        end.begin()
        if hasEnded(phase, within: end.seconds) { return }
        end.hurry()
        if hasEnded(phase, within: hurryGraceSeconds) { return }
        giveUp("the end takes too long")
        _exit(end.code?.rawValue ?? 128 + signal)
    }

    private static func hasEnded(_ phase: Monitor<Phase>, within seconds: Double) -> Bool {
        let ended: Void? = phase.wait(until: .now.advanced(bySeconds: seconds)) { phase in
            if case .ended = phase { () } else { nil }
        }
        return ended != nil
    }
}
