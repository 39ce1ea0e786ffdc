import ArgumentParser
import Foundation
import LocalHub

struct Token: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make, list and delete access tokens.",
        subcommands: [Create.self, List.self, Delete.self])

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a token and print it; it is shown only now.")

        @OptionGroup var folder: FolderOption

        @Option(help: "What to call the token.")
        var name: String

        @Option(help: "read or write.")
        var role: TokenRole

        @Option(help: "Whose token it is; by default of a user with the token's name.")
        var user: String?

        @Option(
            help: ArgumentHelp(
                "Rights only in these namespaces and the user's own; without it in all.",
                valueName: "ns,ns"))
        var namespaces: String?

        func validate() throws {
            guard RepoName.isValidPart(user ?? name) else {
                throw ValidationError("'\(user ?? name)' cannot be a user's name.")
            }
        }

        func run() throws {
            let hub = try Hub(root: folder.root)
            guard try !hub.registry.tokens().contains(where: { $0.name == name }) else {
                throw ValidationError("There is a token named '\(name)' already.")
            }
            let list = namespaces?.split(separator: ",").map(String.init)
            print(
                try hub.registry.createToken(
                    name: name, user: user ?? name, role: role, namespaces: list))
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the tokens' names.")

        @OptionGroup var folder: FolderOption

        func run() throws {
            for token in try Hub(root: folder.root).registry.tokens() {
                let places = token.namespaces.map { $0.joined(separator: ",") } ?? "everywhere"
                print("\(token.name)\t\(token.role.rawValue)\t\(token.user)\t\(places)")
            }
        }
    }

    struct Delete: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Delete a token.")

        @OptionGroup var folder: FolderOption

        @Option(help: "The token's name.")
        var name: String

        func run() throws {
            guard try Hub(root: folder.root).registry.deleteToken(name: name) else {
                throw ValidationError("There is no token named '\(name)'.")
            }
        }
    }
}
