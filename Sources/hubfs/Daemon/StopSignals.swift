import Glibc
import Platform

/// SIGTERM and SIGINT as an orderly end.
///
/// The signals are blocked in every thread and taken by one that waits for nothing else, so that they
/// work in any state: while the source is resolved, and whatever is parked or stalled later.
final class StopSignals: Sendable {
    private enum Phase {
        case starting
        case serving(stop: @Sendable () -> Void)
        /// A signal came before anything was served.
        case abandoned
        case ended
    }

    /// How long a start may go on after a signal, so that it is not cut between mounting and serving.
    private static let startGraceSeconds = 1.0
    /// How long the orderly end may take before the process ends in any case.
    private static let endGraceSeconds = 12.0

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

    /// From now on a signal calls `stop`, which must not wait.
    ///
    /// - Returns: false when a signal has come already.
    func serve(stop: @escaping @Sendable () -> Void) -> Bool {
        phase.update { phase in
            if case .abandoned = phase { return false }
            phase = .serving(stop: stop)
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
        let stop: (@Sendable () -> Void)? = phase.update { phase in
            if case .serving(let stop) = phase { return stop }
            if case .starting = phase { phase = .abandoned }
            return nil
        }
        stop?()
        let grace = stop == nil ? startGraceSeconds : endGraceSeconds
        let ended: Void? = phase.wait(until: .now.advanced(bySeconds: grace)) { phase in
            if case .ended = phase { () } else { nil }
        }
        if ended != nil { return }
        giveUp(stop == nil ? "interrupted before the mount worked" : "the end takes too long")
        _exit(128 + signal)
    }
}
