import ArgumentParser
import LocalHub

/// Settings of a repo that the API of the Hub has no call for, or that need no server.
struct Repo: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Change who may see a repo, and by which names.",
        subcommands: [Set.self, Grant.self, Revoke.self, Alias.self])

    struct Set: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Change a repo's settings.")

        @OptionGroup var folder: FolderOption
        @OptionGroup var target: RepoOption

        @Flag(name: .customLong("private"), inversion: .prefixedNo, help: "Only for members.")
        var isPrivate: Bool?

        @Flag(inversion: .prefixedNo, help: "Reading files needs a grant.")
        var gated: Bool?

        @Flag(inversion: .prefixedNo, help: "Answer that access is disabled.")
        var disabled: Bool?

        func run() throws {
            let hub = try Hub(root: folder.root)
            let gate: Gate?? = gated.map { $0 ? .manual : nil }
            try hub.registry.update(
                try target.find(in: hub), isPrivate: isPrivate, gate: gate, isDisabled: disabled)
        }
    }

    struct Grant: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let a user read a gated repo's files.")

        @OptionGroup var folder: FolderOption
        @OptionGroup var target: RepoOption
        @Option(help: "The user's name.") var user: String

        func run() throws {
            let hub = try Hub(root: folder.root)
            try hub.registry.grantAccess(to: try target.find(in: hub), user: user)
        }
    }

    struct Revoke: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Take a grant back.")

        @OptionGroup var folder: FolderOption
        @OptionGroup var target: RepoOption
        @Option(help: "The user's name.") var user: String

        func run() throws {
            let hub = try Hub(root: folder.root)
            try hub.registry.revokeAccess(to: try target.find(in: hub), user: user)
        }
    }

    struct Alias: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make an old id, such as gpt2, lead to a repo.")

        @OptionGroup var folder: FolderOption
        @OptionGroup var target: RepoOption
        @Argument(help: "The old id, of one segment or two.") var old: String

        func validate() throws {
            guard RepoName(old) != nil || RepoName.isValidPart(old) else {
                throw ValidationError("'\(old)' cannot be a repo's id.")
            }
        }

        func run() throws {
            let hub = try Hub(root: folder.root)
            try hub.registry.addAlias(old, for: try target.find(in: hub))
        }
    }
}
