import Glibc
import Platform

/// Tells a service manager how a mount in the foreground is: that it works, that it lives, that it ends,
/// and that a commit needs more time.
///
/// Source: man 3 sd_notify; man 5 systemd.service, Type=notify and WatchdogSec=.
final class ServiceReport: Sendable {
    private enum Phase {
        case starting, serving, ending, closed
    }

    private struct State {
        var phase = Phase.starting
        var thread: Thread?
    }

    /// How often a commit at the end is told of, in seconds.
    private static let tellSeconds = 2.0
    /// How much longer the manager is to wait each time: several of those.
    private static let extensionSeconds = 20

    private let socket: ServiceSocket
    /// The manager ends us when it hears nothing for as long; nil when it does not mind.
    private let watchdogSeconds: Double?
    private let state = Monitor(State())

    /// - Returns: nil when no manager listens.
    init?(_ environment: Environment) {
        guard let socket = ServiceSocket(environment) else { return nil }
        self.socket = socket
        let isOurs = environment["WATCHDOG_PID"].map { $0 == String(getpid()) } ?? true
        let microseconds = environment["WATCHDOG_USEC"].flatMap { Double($0) } ?? 0
        watchdogSeconds = isOurs && microseconds > 0 ? microseconds / 1e6 : nil
    }

    /// The mount works.
    ///
    /// - Parameters:
    ///   - words: What is mounted where.
    ///   - edits: What is known of edits. It looks at most of the daemon's state, so a daemon in which
    ///     that is locked for ever does not call itself alive.
    func begin(_ words: String, edits: @escaping @Sendable () -> EditStatus?) {
        send(["READY=1", "STATUS=serving \(printable(words))"])
        let thread = Thread(name: "hubfs-service") { [self] in report(edits) }
        state.update { state in
            state.phase = .serving
            state.thread = thread
        }
    }

    /// The mount is gone; its edits may still be committed.
    func tellEnd() {
        send(["STOPPING=1", "STATUS=unmounted"])
        state.update { $0.phase = .ending }
    }

    /// Says nothing any more.
    func close() {
        let thread = state.update { state in
            state.phase = .closed
            return state.thread
        }
        thread?.join()
    }

    private func report(_ edits: () -> EditStatus?) {
        // Twice in the time the manager allows, as it advises.
        let pauseSeconds = min(watchdogSeconds.map { $0 / 2 } ?? .infinity, Self.tellSeconds)
        while true {
            let status = edits()
            let phase = state.update { $0.phase }
            if phase == .closed { return }
            var message: [String] = []
            if watchdogSeconds != nil { message.append("WATCHDOG=1") }
            if phase == .ending, let status, status.isCommitting {
                message += [
                    "STATUS=committing: \(printable(status.progressText))",
                    "EXTEND_TIMEOUT_USEC=\(Self.extensionSeconds * 1_000_000)",
                ]
            }
            if !message.isEmpty { send(message) }
            let next = MonotonicInstant.now.advanced(bySeconds: pauseSeconds)
            state.wait(until: next) { state in
                state.phase == .closed || (state.phase == .ending && phase == .serving) ? () : nil
            }
        }
    }

    private func send(_ assignments: [String]) {
        // A manager that has gone, or does not read, does not need to know.
        try? socket.send(assignments)
    }
}
