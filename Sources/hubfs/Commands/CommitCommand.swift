import ArgumentParser
import FuseBridge
import Glibc
import Platform
import SystemPackage
import WriteBack

struct CommitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "commit",
        abstract: "Commit the edits of a writable mount now.",
        discussion: """
            Waits until the commit is at the Hub and prints its number. What programs have open for \
            writing is committed as it is at this moment. What cannot be committed is named and stays.
            """)

    @Argument(help: "Where the repo is mounted.")
    var directory: String

    @Option(
        name: [.customShort("m"), .customLong("message")],
        help: "First line of the commit; without it hubfs says what changed.")
    var message: String?

    @Option(help: "The rest of the commit's text.")
    var description: String = ""

    @Flag(help: "Open a pull request; the mount follows it from then on.")
    var createPr = false

    @Option(help: "When others changed the same paths: 'fail', 'pr', 'branch' or 'ours'.")
    var onConflict: ConflictPolicy?

    func run() throws {
        let path = try MountPath.resolve(directory)
        guard let record = MountTable.record(at: path), record.isOurs else {
            throw Failure(.mountPoint, "hubfs is not mounted at \(path)")
        }
        guard let daemon = try EditingDaemon(at: path) else {
            throw Failure(.usage, "\(path) is mounted read only; mount it with -w to edit it")
        }
        // What programs have stored in mappings reaches the daemon now.
        if let directory = try? FileDescriptor.open(
            path, .readOnly, options: [.directory, .closeOnExec])
        {
            try? directory.syncFileSystem()
            try? directory.close()
        }
        var wish = CommitWish()
        wish.title = message
        wish.description = description
        if createPr { wish.opensPullRequest = true }
        wish.onConflict = onConflict
        try daemon.commit(wish, showsProgress: isatty(STDERR_FILENO) == 1)
    }
}
