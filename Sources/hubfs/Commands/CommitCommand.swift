import ArgumentParser
import Glibc
import WriteBack

struct CommitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "commit",
        abstract: "Commit the edits of a writable mount now.",
        discussion: """
            Waits until the commit is at the Hub and prints its number. What programs have open for \
            writing is committed as it is at this moment. What cannot be committed is named and stays. \
            When somebody else has committed meanwhile, the commit goes on top of theirs, unless both changed \
            the same path: then nothing is committed, and the command ends with code 13.

            The mount goes on: what is edited from now on is in the next commit, and unmounting commits what \
            is left.

              hubfs commit /mnt/x -m "Train two more epochs"
              hubfs commit --dry-run /mnt/x
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

    @Flag(name: [.customShort("n"), .long], help: "Only say what would be committed.")
    var dryRun = false

    func run() throws {
        let mount = try MountedFolder(directory)
        let daemon = try mount.editingDaemon()
        mount.writeBackMappings()
        if dryRun { return try preview(try daemon.edits()) }
        var wish = CommitWish()
        wish.title = message
        wish.description = description
        if createPr { wish.opensPullRequest = true }
        wish.onConflict = onConflict
        try daemon.commit(wish, showsProgress: isatty(STDERR_FILENO) == 1)
    }

    private func preview(_ report: EditReport) throws {
        for (edit, _) in report.edits { try writeLine(edit.line) }
        for item in report.localOnly {
            writeToStandardError(
                "hubfs: stays in the workspace: \(printable(item.path)) (\(item.reason))\n")
        }
        try writeLine(
            report.edits.isEmpty
                ? "nothing to commit"
                : "would commit \(report.sums.line), on top of \(report.sums.base)")
    }
}
