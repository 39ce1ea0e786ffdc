import ArgumentParser

struct DiscardCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "discard",
        abstract: "Give up edits of a writable mount.",
        discussion: """
            The mount shows the commit it is based on again, at the named paths and below them, or \
            everywhere. What was made there is gone; what was moved away from there is back, and stays at its \
            new place as well until that is discarded too. Programs that have a file open to read keep its \
            bytes; while one can write to a file, nothing is discarded, and the command ends with code 8.

            There is no way back: it asks first, and where nobody can be asked it wants --yes.
            """)

    @Argument(help: "Where the repo is mounted.")
    var directory: String

    @Argument(help: "Files or folders in it; everything without.")
    var paths: [String] = []

    @Flag(name: .shortAndLong, help: "Do not ask.")
    var yes = false

    func run() throws {
        let mount = try MountedFolder(directory)
        let inside = try paths.map { path in try mount.inside(path) }
        let daemon = try mount.editingDaemon()
        let what = paths.isEmpty ? "all edits" : "the edits of " + paths.joined(separator: ", ")
        try Confirmation.ask("Give up \(printable(what)) in \(mount.path)", isGiven: yes)
        let count = try daemon.discard(inside.isEmpty ? [""] : inside)
        try writeLine("discarded \(count) edit\(count == 1 ? "" : "s")")
    }
}
