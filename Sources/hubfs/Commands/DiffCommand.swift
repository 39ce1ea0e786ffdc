import ArgumentParser
import Glibc
import HubClient

struct DiffCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Show what the edits of a writable mount change.",
        discussion: """
            Compares the mount with the commit it is based on. Text up to 1 MiB is shown line by line, in \
            the form that patch and git apply take; of everything else, the sizes and the Hub's names of \
            the contents (40 digits: a git blob, 64: an LFS object; those of files over 64 MiB are found \
            by the commit). Only what is edited is read.

              hubfs diff /mnt/x
              hubfs diff /mnt/x config.json data
              hubfs diff --stat /mnt/x
            """)

    @Argument(help: "Where the repo is mounted.")
    var directory: String

    @Argument(help: "Files or folders in it; everything without.")
    var paths: [String] = []

    @Flag(help: "One line for each file: lines added and removed, or sizes.")
    var stat = false

    @Flag(help: "Only the names of the files that differ.")
    var nameOnly = false

    @Flag(help: "As one JSON object with the member 'files'.")
    var json = false

    func validate() throws {
        guard [stat, nameOnly, json].filter({ $0 }).count <= 1 else {
            throw ValidationError("--stat, --name-only and --json exclude each other.")
        }
    }

    func run() throws {
        let mount = try MountedFolder(directory)
        let inside = try paths.map { path in try mount.inside(path) }
        let daemon = try mount.editingDaemon()
        mount.writeBackMappings()
        let report = try daemon.differences(at: inside, withText: !stat && !nameOnly)
        if json { return try writeLine(Self.json(report).text) }
        let texts = report.edits.map { ShownDifference(edit: $0.edit, hunks: $0.text) }
        if nameOnly {
            for text in texts { try writeLine(Self.shown(text.edit.path)) }
        } else if stat {
            for line in columns(texts.map(\.summary), rightAligned: [1]) { try writeLine(line) }
        } else {
            for text in texts { try writeToStandardOutput(Self.shown(text.patch).utf8) }
        }
    }

    private static func json(_ report: EditReport) -> JSON {
        let files = report.edits.map { edit, text -> JSON in
            guard case .object(var members) = edit.json else { return .null }
            members["hunks"] = edit.addedLines == nil ? .null : .string(text)
            return .object(members)
        }
        return .object(["base": .string(report.sums.base), "files": .array(files)])
    }

    /// A file's text must not steer the terminal it is shown on; a program gets it as it is.
    private static func shown(_ text: String) -> String {
        guard isatty(STDOUT_FILENO) == 1 else { return text }
        return text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            line.split(separator: "\t", omittingEmptySubsequences: false)
                .map { printable(String($0)) }.joined(separator: "\t")
        }.joined(separator: "\n")
    }
}
