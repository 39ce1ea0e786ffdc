import ArgumentParser
import Glibc
import HubClient
import Logging
import SystemPackage
import WriteBack

struct RecoverCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recover",
        abstract: "List edits that are not at the Hub and not mounted, and save them.",
        discussion: """
            The edits of a writable mount live in a workspace until the Hub has them. They are still there \
            when the machine or the daemon stopped, when the Hub could not be reached at the end, and after \
            'hubfs umount --no-commit'. Mounting the repo with -w goes on with them; this command does \
            without a mount. --commit takes the options of 'hubfs commit'; what others changed at the same \
            paths is decided by --on-conflict, or by 'hubfs resolve' once it is mounted.

            NAME is the name of the list, the start of it, or the repo. It can be left out when there is \
            only one.

              hubfs recover
              hubfs recover --commit org/model -m "The last epochs"
              hubfs recover --commit --on-conflict branch org/model
              hubfs recover --export ~/saved org/model
              hubfs recover --drop org/model
            """)

    @Argument(help: "Which workspace.")
    var name: String?

    @Flag(help: "List the workspaces that have edits: what it does when nothing else is said.")
    var list = false

    @Flag(help: "Commit the edits.")
    var commit = false

    @Option(help: ArgumentHelp("Copy what was edited into a new folder.", valueName: "folder"))
    var export: String?

    @Flag(help: "Give the edits up.")
    var drop = false

    @Flag(help: "With --drop: do not ask.")
    var yes = false

    @Flag(help: "List as one JSON object with the member 'workspaces'.")
    var json = false

    @OptionGroup(title: "With --commit")
    var options: CommitOptions

    @OptionGroup(title: "Hub options")
    var hub: HubOptions

    @OptionGroup(title: "Cache options")
    var cache: CacheOptions

    func validate() throws {
        guard [list, commit, drop, export != nil].filter({ $0 }).count <= 1 else {
            throw ValidationError("--list, --commit, --export and --drop exclude each other.")
        }
        guard commit || !options.isGiven else {
            throw ValidationError("What a commit is to be like goes with --commit.")
        }
        guard !json || !(commit || drop || export != nil) else {
            throw ValidationError("--json goes with the list.")
        }
    }

    func run() throws {
        let environment = Environment()
        let known = try Self.workspaces(environment)
        if !commit, !drop, export == nil { return try show(known.filter(isMeant)) }
        let found = try choose(known)
        if let user = found.user { throw DetachedWorkspace.busy(found.name, user) }
        if drop {
            try Confirmation.ask(
                "Give up \(Self.count(found.summary)) of \(found.key.description)", isGiven: yes)
        }
        try with(found, environment) { workspace in
            if commit {
                try workspace.commit(options.wish)
            } else if let export {
                try copy(workspace, to: FilePath(absolutePath(export)))
            } else {
                do throws(WriteBackError) {
                    try workspace.committer.discardAll()
                } catch {
                    throw Failure(error)
                }
                try writeLine("the edits of \(found.key.description) are given up")
            }
        }
    }

    /// Workspaces with something in them. Those that cannot be read are named on stderr.
    private static func workspaces(_ environment: Environment) throws(Failure) -> [FoundWorkspace] {
        do throws(WriteBackError) {
            let (found, unreadable) = try FoundWorkspace.all(
                in: FilePath(environment.stateFolder))
            for error in unreadable { writeToStandardError("hubfs: \(error)\n") }
            return found.filter { $0.summary.editCount > 0 || $0.summary.hasOpenCommit }
        } catch {
            throw Failure(error)
        }
    }

    private func isMeant(_ found: FoundWorkspace) -> Bool {
        guard let name else { return true }
        return found.name.hasPrefix(name) || found.key.repo.name == name
            || found.key.repo.description == name
    }

    private func choose(_ known: [FoundWorkspace]) throws(Failure) -> FoundWorkspace {
        let meant = known.filter { $0.name == name }
        let candidates = meant.isEmpty ? known.filter(isMeant) : meant
        if candidates.count == 1 { return candidates[0] }
        guard !candidates.isEmpty else {
            throw Failure(
                .notFound,
                name.map { "no workspace with edits is called \($0); 'hubfs recover' lists them" }
                    ?? "there are no edits outside of the Hub")
        }
        let names = candidates.map(\.name).joined(separator: ", ")
        throw Failure(.usage, "several workspaces have edits, name one of them: \(names)")
    }

    private func with(
        _ found: FoundWorkspace, _ environment: Environment,
        _ body: (DetachedWorkspace) throws -> Void
    ) throws {
        // A token goes to the Hub it is for, and nowhere else.
        let endpoint = hub.hubEnvironment(environment).endpoint
        guard endpoint == found.key.endpoint else {
            throw Failure(
                .usage,
                "these edits are for \(found.key.endpoint), and \(endpoint) is set: say "
                    + "--endpoint \(found.key.endpoint)")
        }
        let logger = Logger(label: "hubfs") { _ in
            LineLogHandler(log: DaemonLog(file: nil), level: .error)
        }
        let hub = try HubAccess(
            hub: hub, cache: cache, environment: environment, logger: logger)
        defer { hub.close() }
        let workspace = try DetachedWorkspace(found, hub, logger: logger)
        defer { workspace.close() }
        try body(workspace)
    }

    private func copy(_ workspace: DetachedWorkspace, to folder: FilePath) throws {
        let export: WorkspaceExport
        do throws(WriteBackError) {
            export = try workspace.committer.export(to: folder)
        } catch .disk(.directoryNotEmpty, let path) {
            throw Failure(.usage, "\(path) is not empty: name a new folder")
        } catch {
            throw Failure(error)
        }
        for path in export.written { try writeLine(printable(path)) }
        for path in export.moved {
            writeToStandardError(
                "hubfs: only moved, its bytes are the Hub's: \(printable(path))\n")
        }
        for (path, reason) in export.failed {
            writeToStandardError("hubfs: not copied: \(printable(path)): \(printable(reason))\n")
        }
        if !export.failed.isEmpty {
            throw Failure(
                .failure, "\(export.failed.count) files were not copied; the workspace keeps all")
        }
    }

    private func show(_ found: [FoundWorkspace]) throws {
        if json {
            return try writeLine(JSON.object(["workspaces": .array(found.map(\.json))]).text)
        }
        if found.isEmpty { return try writeLine("there are no edits outside of the Hub") }
        let now = Int64(time(nil))
        let rows = found.map { found in
            [
                found.name, printable(found.key.description), Self.count(found.summary),
                readableSpan(seconds: now - found.summary.usedSeconds) + " ago",
                printable(found.state),
            ]
        }
        for line in columns(rows) { try writeLine(line) }
    }

    private static func count(_ summary: WorkspaceSummary) -> String {
        "\(summary.editCount) edit\(summary.editCount == 1 ? "" : "s")"
    }
}

extension FoundWorkspace {
    /// Who uses it, or how its last commit ended.
    fileprivate var state: String {
        if let user { return user }
        if !summary.conflicts.isEmpty {
            let count = summary.conflicts.count
            return count == 1 ? "1 conflict" : "\(count) conflicts"
        }
        if summary.hasOpenCommit { return "a commit was begun, and its end is not known" }
        return summary.lastFailure.map { "the last commit failed: \($0)" } ?? "not mounted"
    }

    fileprivate var json: JSON {
        .object([
            "name": .string(name), "folder": .string(folder.string),
            "endpoint": .string(key.endpoint), "repo": .string(key.repo.description),
            "branch": .string(key.branch), "path": .string(key.path),
            "workspace": .string(key.name), "edits": .integer(Int64(summary.editCount)),
            "base": .optional(summary.base?.hex), "usedSeconds": .integer(summary.usedSeconds),
            "user": .optional(user), "hasOpenCommit": .bool(summary.hasOpenCommit),
            "target": .optional(summary.target),
            "conflicts": .array(summary.conflicts.map { ShownConflict($0).json }),
            "lastFailure": .optional(summary.lastFailure),
        ])
    }
}
