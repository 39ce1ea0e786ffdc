import ArgumentParser
import HubClient
import Platform

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show mounts, their commits, and what they asked of the Hub.",
        discussion: """
            Asks the daemon of each mount. One that does not answer within two seconds is shown as \
            such; with DIR the command then ends with code 12.

            With DIR, a writable mount's edits are listed: + added, ~ modified, - deleted, > renamed, and what \
            is not committed, with the reason. That can take a moment: folders that were removed are looked \
            up at the Hub.

            With --check nothing is shown of mounts that work. The command ends with code 12 when a daemon or its             file system does not answer, and with 7 when a daemon has died: for monitoring, or a container's health check.
            """)

    @Argument(help: "Where a repo is mounted; all mounts without it.")
    var directory: String?

    @Flag(help: "As one JSON object with the member 'mounts'.")
    var json = false

    @Flag(help: "Say only what does not work, and end with an error then.")
    var check = false

    private static let patienceSeconds = 2.0

    func validate() throws {
        if check, json { throw ValidationError("--check shows no JSON.") }
    }

    func run() throws {
        if check {
            let reports =
                try directory.map { [try report(of: $0)] } ?? MountReport.all(Self.deadline)
            return try MountCheck(reports, until: Self.deadline).show()
        }
        if let directory { return try show(try report(of: directory)) }
        let reports = MountReport.all(Self.deadline)
        if json {
            try writeLine(JSON.object(["mounts": .array(reports.map(\.json))]).text)
        } else if reports.isEmpty {
            try writeLine("nothing is mounted")
        } else {
            try writeLine(
                reports.map { $0.lines.joined(separator: "\n") }.joined(separator: "\n\n"))
        }
    }

    /// One mount, with its edits. They come last: what else is known does not wait for the Hub.
    private func show(_ report: MountReport) throws {
        var edits: EditReport?
        var failure: Failure?
        if case .answered(let status) = report.state, status.edits != nil {
            do throws(Failure) {
                edits = try EditingDaemon(at: report.mountPoint)?.edits()
            } catch {
                failure = Failure(error.code, "the edits cannot be listed now: \(error.sentence)")
            }
        }
        if json {
            let mount = report.json(edits)
            try writeLine(JSON.object(["mounts": .array([mount])]).text)
        } else {
            for line in report.lines + (edits?.lines ?? []) { try writeLine(line) }
        }
        if case .silent(let silence) = report.state {
            failure = Failure(
                silence == .hangs ? .timedOut : .mountPoint,
                "\(report.mountPoint): \(silence.sentence)")
        }
        if let failure { throw failure }
    }

    private static var deadline: MonotonicInstant { .now.advanced(bySeconds: patienceSeconds) }

    private func report(of directory: String) throws(Failure) -> MountReport {
        let mount = try MountedFolder(directory)
        let folders = ControlFolder.existing(Environment())
        return MountReport.ask([mount.path], folders, Self.deadline)[0]
    }
}
