import ArgumentParser

struct PullCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pull",
        abstract: "Show in a mount what others have committed.",
        discussion: """
            Moves the mount to the head of its branch, with your edits on top, without unmounting. Files \
            that are open keep their bytes. A mount with --follow does it now rather than at its next \
            question to the Hub; one that is read only without it shows one commit to its end.

            When others changed a path that you have edited, or that is \
            open for writing, nothing moves, and the paths are named.
            """)

    @Argument(help: "Where the repo is mounted.")
    var directory: String

    func run() throws {
        let mount = try MountedFolder(directory)
        if let daemon = try EditingDaemon(at: mount.path) {
            for line in try daemon.pull() { try writeLine(line) }
        } else {
            try writeLine(try FollowingDaemon(at: mount.path).pull())
        }
    }
}
