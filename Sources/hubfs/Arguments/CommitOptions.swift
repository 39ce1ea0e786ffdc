import ArgumentParser
import WriteBack

/// How a commit is to be made: of a mount, and of a workspace without one.
struct CommitOptions: ParsableArguments {
    @Option(
        name: [.customShort("m"), .customLong("message")],
        help: "First line of the commit; without it hubfs says what changed.")
    var message: String?

    @Option(help: "The rest of the commit's text.")
    var description: String?

    @Option(
        help: ArgumentHelp(
            "Commit to this branch or 'refs/pr/N' from now on, and show it.", valueName: "name"))
    var branch: String?

    @Flag(help: "With --branch: make it if there is none.")
    var createBranch = false

    @Flag(help: "Open a pull request; the workspace follows it from then on.")
    var createPr = false

    @Option(help: "When others changed the same paths: 'fail', 'pr', 'branch', 'ours' or 'theirs'.")
    var onConflict: ConflictPolicy?

    func validate() throws {
        if createBranch, branch == nil {
            throw ValidationError("--create-branch goes with --branch NAME.")
        }
        if createPr, branch != nil {
            throw ValidationError("--create-pr and --branch exclude each other.")
        }
    }

    /// Whether any of it was said.
    var isGiven: Bool {
        message != nil || description != nil || branch != nil || createPr || onConflict != nil
    }

    /// Whether something was said that a bucket has no place for.
    var isOfRepos: Bool {
        message != nil || description != nil || branch != nil || createPr || onConflict == .pr
            || onConflict == .branch
    }

    var wish: CommitWish {
        var wish = CommitWish()
        wish.title = message
        wish.description = description ?? ""
        if createPr { wish.opensPullRequest = true }
        wish.onConflict = onConflict
        wish.branch = branch
        wish.createsBranch = createBranch
        return wish
    }
}
