import ArgumentParser
import FuseBridge
import Platform
import SystemPackage

struct LogCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log",
        abstract: "Show the end of a mount's log.",
        discussion: "Also after the mount has ended, if its log was where logs are by default.")

    @Argument(help: "Where the repo is or was mounted.")
    var directory: String

    @Option(name: [.customShort("n"), .long], help: "How many lines.")
    var lines = 20

    @Flag(help: "Print the path of the log file instead.")
    var path = false

    func validate() throws {
        guard lines > 0 else { throw ValidationError("--lines is at least 1.") }
    }

    func run() throws {
        let mountPoint = try MountPath.resolve(directory)
        let log = try logPath(of: mountPoint)
        if path { return try writeLine(log) }
        let text: String
        do {
            text = try readSmallFile(log, bytesMax: 1 << 20)
        } catch {
            throw Failure(.localStorage, "the log \(log) cannot be read: \(error)")
        }
        for line in text.split(separator: "\n").suffix(lines) { try writeLine(String(line)) }
    }

    private func logPath(of mountPoint: String) throws(Failure) -> String {
        let environment = Environment()
        let folders = ControlFolder.existing(environment)
        let deadline = MonotonicInstant.now.advanced(bySeconds: 2)
        if case .answered(let status) = MountReport.ask([mountPoint], folders, deadline)[0].state {
            if let path = status.logPath { return path }
            throw Failure(
                .mountPoint, "\(mountPoint) is served in the foreground and logs to its stderr")
        }
        return MountRequest.defaultLogPath(of: mountPoint, environment)
    }
}
