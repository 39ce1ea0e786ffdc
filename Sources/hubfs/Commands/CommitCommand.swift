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
            the same path: then nothing is committed, and the command ends with code 13. 'hubfs resolve' \
            decides, or --on-conflict beforehand.

            With PATH, only those files and folders are committed, and what they cannot go without: a rename \
            has both its ends, and a folder that was moved, removed or replaced goes as a whole. The rest \
            stays edited. --dry-run tells what it comes to.

            With --branch, this commit and all later ones go to that branch, and the mount shows it, with \
            your edits on top. That is also the way back after a pull request.

            The mount goes on: what is edited from now on is in the next commit, and unmounting commits what \
            is left.

              hubfs commit /mnt/x -m "Train two more epochs"
              hubfs commit /mnt/x config.json tokenizer
              hubfs commit --dry-run /mnt/x
              hubfs commit --branch main /mnt/x
            """)

    @Argument(help: "Where the repo is mounted.")
    var directory: String

    @Argument(help: "Files or folders in it; everything without.")
    var paths: [String] = []

    @OptionGroup var options: CommitOptions

    @Flag(name: [.customShort("n"), .long], help: "Only say what would be committed.")
    var dryRun = false

    func run() throws {
        let mount = try MountedFolder(directory)
        let inside = try paths.map { path in try mount.inside(path) }
        let daemon = try mount.editingDaemon()
        if options.isOfRepos, try daemon.showsBucket() {
            throw Failure(
                .usage,
                "\(mount.path) is a bucket, which has neither commits nor branches: hubfs flush sends its edits"
            )
        }
        mount.writeBackMappings()
        if dryRun { return try preview(try daemon.edits(at: inside)) }
        var wish = options.wish
        wish.paths = inside
        let result = try daemon.commit(wish, showsProgress: isatty(STDERR_FILENO) == 1)
        let shown = result.repos.first
        if options.branch != nil, result.changeCount == 0 {
            let (commit, ref) = (shown?.commit ?? result.commit, shown?.ref ?? result.ref)
            try writeLine("nothing to commit; the mount shows \(commit) on \(ref)")
        }
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
                : "would commit \(report.sums.line)"
                    + (report.sums.base.isEmpty ? "" : ", on top of \(report.sums.base)"))
    }
}
