import ArgumentParser
import Glibc
import Platform
import SystemPackage

struct DebugCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "debug",
        abstract: "Put what is known of a mount into a file, for a report.",
        discussion: """
            The archive has the status and the figures of hubfs stats, the end of the log, the options, where the \
            daemon's threads are, the line of the mount table, and versions. Tokens, Authorization headers, the \
            queries of web addresses, and names and passwords in them are taken out; names of repos, paths and \
            machines stay: look through it before it goes to others.

            It works while the daemon hangs, without what only that could tell: it waits three seconds for each part \
            and never looks into the mount.
            """)

    @Argument(help: "Where a repo is mounted.")
    var directory: String

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "The archive to make (default: hubfs-debug-NAME.tar.gz in this folder).",
            valueName: "file"))
    var output: String?

    func run() throws {
        let mount = try MountedFolder(directory)
        let name = "hubfs-debug-" + MountPath.name(of: mount.path)
        let path = output ?? name + ".tar.gz"
        if MountPath.split(path) != nil {
            throw Failure(
                .usage, "\(path) is in a mount, which may hang: name another place with -o")
        }
        let bytes = DebugBundle(of: mount).archive(in: name)
        do {
            let file = try FileDescriptor.open(
                FilePath(path), .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec],
                permissions: FilePermissions(rawValue: 0o600))
            defer { try? file.close() }
            _ = try file.writeAll(bytes)
        } catch {
            throw Failure(.localStorage, "\(path) cannot be made: \(error)")
        }
        try writeLine(path)
    }
}
