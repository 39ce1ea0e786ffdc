import ArgumentParser
import Glibc
import WriteBack

struct FlushCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "flush",
        abstract: "Send the edits of a mounted bucket now.",
        discussion: """
            Waits until the bucket has them. What programs have open for writing is sent as it is at this \
            moment. What cannot be sent is named and stays. When somebody else has changed the same files \
            meanwhile, nothing is sent, and the command ends with code 13. 'hubfs resolve' decides, or \
            --on-conflict beforehand. Edits of a repo are committed: 'hubfs commit'.
            """)

    @Argument(help: "Where the bucket is mounted.")
    var directory: String

    @Argument(help: "Files or folders in it; everything without.")
    var paths: [String] = []

    @Option(help: "When others changed the same paths: 'fail', 'ours' or 'theirs'.")
    var onConflict: ConflictPolicy?

    func run() throws {
        let mount = try MountedFolder(directory)
        let inside = try paths.map { path in try mount.inside(path) }
        let daemon = try mount.editingDaemon()
        guard try daemon.showsBucket() else {
            throw Failure(.usage, "\(mount.path) is a repo: hubfs commit sends its edits")
        }
        if onConflict == .pr || onConflict == .branch {
            throw Failure(.usage, "--on-conflict is 'fail', 'ours' or 'theirs' for a bucket")
        }
        mount.writeBackMappings()
        var wish = CommitWish()
        wish.onConflict = onConflict
        wish.paths = inside
        _ = try daemon.commit(wish, showsProgress: isatty(STDERR_FILENO) == 1)
    }
}
