import ArgumentParser
import LocalHub

struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Put a folder's files into a repo as one commit.",
        discussion: """
            Works with and without a server running. The repo is made if it is not there; files
            it already has and the folder has not stay. Files go to git or to LFS by the Hub's rule.
            """)

    @OptionGroup var hubFolder: FolderOption
    @OptionGroup var target: RepoOption

    @Argument(help: "The folder to import.")
    var folder: String

    @Flag(name: .customLong("private"), help: "Make the repo private.")
    var isPrivate = false

    @Flag(help: "Make the repo gated: reading files needs a grant (see 'localhub repo grant').")
    var gated = false

    @Flag(
        help: "Make what 'serve --xet' offers of large files now, and not when they are asked for.")
    var xet = false

    @Option(help: "Whom the commit names.")
    var author = "localhub"

    @Option(name: [.short, .long], help: "The commit's title.")
    var message = "Import folder"

    @Flag(help: "Print the commit's id alone.")
    var quiet = false

    func run() throws {
        let hub = try Hub(root: hubFolder.root)
        let gate: Gate? = gated ? .manual : nil
        var repo: RepoRecord
        if let known = try hub.registry.repo(target.type, target.repo) {
            repo = known
            if isPrivate || gated {
                try hub.registry.update(
                    known, isPrivate: isPrivate ? true : nil, gate: gated ? .some(gate) : nil)
            }
        } else {
            repo = try hub.createRepo(
                target.type, target.repo, options: RepoOptions(isPrivate: isPrivate, gate: gate),
                author: author)
        }
        let summary = try FolderImport(hub: hub, repo: repo, folder: folder)
            .run(author: author, message: message)
        if xet {
            for oid in summary.lfsOIDs { try hub.convert(oid, in: repo) }
        }
        if quiet {
            print(summary.commit)
        } else {
            print(
                "\(repo.name): \(summary.regularCount) regular and \(summary.lfsOIDs.count) LFS files, "
                    + "\(summary.byteCount) bytes, commit \(summary.commit)")
        }
    }
}
