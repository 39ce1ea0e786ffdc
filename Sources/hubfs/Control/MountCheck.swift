import Glibc
import Platform

/// Whether mounts work: their daemons answer, and so do the file systems themselves.
struct MountCheck {
    /// What is wrong with one mount.
    struct Finding {
        let mountPoint: String
        let silence: ControlClient.Silence

        var line: String { "\(mountPoint): \(silence.sentence)" }
    }

    let findings: [Finding]

    /// Asks every file system for its size, which no cache of the kernel's answers.
    ///
    /// - Parameter deadline: What has not answered by then hangs.
    init(_ reports: [MountReport], until deadline: MonotonicInstant) {
        let answers = Monitor<[String: Bool]>([:])
        for report in reports {
            // Not waited for at the end: with the process a thread ends that asks in vain.
            _ = Thread(name: "hubfs-check") { [path = report.mountPoint] in
                var facts = statvfs()
                let isDead = statvfs(path, &facts) != 0 && errno == ENOTCONN
                answers.update { $0[path] = !isDead }
            }
        }
        let all = answers.wait(until: deadline) { $0.count == reports.count ? $0 : nil }
        let answered = all ?? answers.update { $0 }
        findings = reports.compactMap { report in
            guard let silence = Self.silence(of: report, answered[report.mountPoint]) else {
                return nil
            }
            return Finding(mountPoint: report.mountPoint, silence: silence)
        }
    }

    /// - Parameter isAlive: What the file system showed; nil when it did not answer.
    private static func silence(
        of report: MountReport, _ isAlive: Bool?
    ) -> ControlClient.Silence? {
        guard let isAlive else { return .hangs }
        if !isAlive { return .dead }
        guard case .silent(let silence) = report.state else { return nil }
        switch silence {
        case .dead, .hangs: return silence
        // Somebody else's mount, or another version's: that it works is all that can be known.
        case .noSocket, .unknownAnswer: return nil
        }
    }

    /// - Throws: `Failure` when a mount does not work, with code `timedOut` if one hangs.
    func show() throws(Failure) {
        guard let first = findings.first else { return }
        let code: ExitCode = findings.contains { $0.silence == .hangs } ? .timedOut : .mountPoint
        for finding in findings.dropFirst() { writeToStandardError("hubfs: \(finding.line)\n") }
        throw Failure(code, first.line)
    }
}
