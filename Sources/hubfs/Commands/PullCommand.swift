import ArgumentParser

struct PullCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pull",
        abstract: "Show in a writable mount what others have committed.",
        discussion: """
            Moves the mount to the head of its branch, with your edits on top, without unmounting. Files \
            that are open keep their bytes. When others changed a path that you have edited, or that is \
            open for writing, nothing moves, and the paths are named.
            """)

    @Argument(help: "Where the repo is mounted.")
    var directory: String

    func run() throws {
        let mount = try MountedFolder(directory)
        guard let daemon = try EditingDaemon(at: mount.path) else {
            throw Failure(
                .usage, "\(mount.path) is mounted read only, and shows one commit: mount it again")
        }
        try writeLine(try daemon.pull())
    }
}
