import ArgumentParser
import FuseBridge
import Glibc
import HubClient
import Platform

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show mounts, their commits, and what they asked of the Hub.",
        discussion: """
            Asks the daemon of each mount. One that does not answer within two seconds is shown as \
            such; with DIR the command then ends with code 12.
            """)

    @Argument(help: "Where a repo is mounted; all mounts without it.")
    var directory: String?

    @Flag(help: "As one JSON object with the member 'mounts'.")
    var json = false

    private static let patienceSeconds = 2.0

    func run() throws {
        let reports = try directory.map { [try report(of: $0)] } ?? MountReport.all(Self.deadline)
        if json {
            try writeLine(JSON.object(["mounts": .array(reports.map(\.json))]).text)
        } else if reports.isEmpty {
            try writeLine("nothing is mounted")
        } else {
            try writeLine(
                reports.map { $0.lines.joined(separator: "\n") }.joined(separator: "\n\n"))
        }
        if directory != nil, case .silent(let silence) = reports[0].state {
            throw Failure(
                silence == .hangs ? .timedOut : .mountPoint,
                "\(reports[0].mountPoint): \(silence.sentence)")
        }
    }

    private static var deadline: MonotonicInstant { .now.advanced(bySeconds: patienceSeconds) }

    private func report(of directory: String) throws(Failure) -> MountReport {
        let path = try MountPath.resolve(directory)
        guard let record = MountTable.record(at: path), record.isOurs else {
            throw Failure(.mountPoint, "hubfs is not mounted at \(path)")
        }
        let folders = ControlFolder.existing(Environment())
        return MountReport.ask([path], folders, Self.deadline)[0]
    }
}
