import ArgumentParser
import Platform

/// `hubfs SRC DIR [-o opt,opt…]`: what mount(8) runs for `mount -t fuse.hubfs SRC DIR` and for a
/// line of /etc/fstab, by way of mount.fuse3 or of a link /sbin/mount.fuse.hubfs to hubfs; and for
/// `mount -t hubfs` by way of a link /sbin/mount.hubfs.
///
/// Source: man 8 mount, "EXTERNAL HELPERS".
struct MountForm: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hubfs",
        abstract: "Mount a repo, in the form of mount(8).",
        discussion: """
            `hubfs mount --help` tells what the options mean. mount(8) adds 'rw' to the options of every \
            mount that is not 'ro', so here it asks for nothing: 'writable' makes a mount that can be edited.
            """)

    @Argument(help: "The repo, or a folder of it.")
    var source: String

    @Argument(help: "An existing directory.")
    var directory: String

    @Option(name: .customShort("o"), help: "Mount options, separated by commas.")
    var lists: [String] = []

    @Flag(name: .shortAndLong, help: "Stay in the foreground.")
    var foreground = false

    @Flag(name: .short, help: .private) var noMtab = false
    @Flag(name: .customShort("s"), help: .private) var isSloppy = false
    @Flag(name: .short, help: .private) var verbose = false
    @Option(name: .customShort("t"), help: .private) var type: String?

    /// True when the arguments are of this form: no option and no command comes first.
    ///
    /// - Throws: `Failure` when the first word seems to be a command, misspelt.
    static func isMeant(by arguments: ArraySlice<String>) throws(Failure) -> Bool {
        guard let first = arguments.first, !first.hasPrefix("-") else { return false }
        if commandNames.contains(first) || first == "help" { return false }
        if first.contains("/") || first.contains(":") { return true }
        if let command = suggestion(for: first, among: commandNames) {
            throw Failure(.usage, "unknown command '\(first)'; did you mean '\(command)'?")
        }
        // A legacy name such as gpt2, if a directory follows.
        if arguments.count > 1 { return true }
        throw Failure(
            .usage,
            "unknown command '\(first)'; 'hubfs --help' lists them. To mount a repo: "
                + "hubfs mount SRC DIR")
    }

    /// What can stand in the place of SRC without being one.
    private static var commandNames: [String] {
        var names: [String] = []
        for command in HubfsCommand.configuration.subcommands {
            if let name = command.configuration.commandName { names.append(name) }
            names += command.configuration.aliases
        }
        return names
    }

    /// True under a name such as mount.fuse.hubfs, where `-f` means to change nothing.
    private static var isMountHelper: Bool {
        let name = CommandLine.arguments.first?.split(separator: "/").last
        return name?.hasPrefix("mount.") ?? false
    }

    func run() throws {
        if foreground, Self.isMountHelper { return }
        var words = ["mount", source, directory]
        if foreground { words += MountOption.foreground.words() }
        for text in lists {
            let list = try MountOptionList(text, ofMountProgram: true)
            words += list.words
            if let file = list.configFile { Invocation.setConfigFile(file) }
        }
        // The words are those of a command line, so that the environment and files add to it.
        try Invocation(words).run()
    }
}
