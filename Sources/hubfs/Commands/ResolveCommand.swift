import ArgumentParser
import WriteBack

struct ResolveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resolve",
        abstract: "Decide about paths that others have changed too.",
        usage: """
            hubfs resolve PATH… --ours|--theirs
            hubfs resolve DIR [PATH…] --ours|--theirs
            """,
        discussion: """
            A commit or a pull that ends with code 13 has found conflicts; 'hubfs status DIR' lists them. \
            Nothing of either side is lost until then, nor by this command:

            With --ours, your version goes with the next commit, over theirs, which stays in the history. \
            With --theirs, the mount shows their version, and yours is kept beside it, as \
            NAME.hubfs-ours: it is listed by 'hubfs status', never committed, and there until you remove \
            it; rename it to have it back.

            The mount shows from then on what others did elsewhere as well. Conflicts that are left stay \
            yours in the mount, and nothing of them is committed before they are decided. Programs that have a \
            file open keep its bytes; while one can write to a file that would become theirs, nothing is done, \
            and the command ends with code 8.

            PATH is a file of the mount, or a folder for all conflicts in it; DIR alone is for all conflicts.

              hubfs resolve /mnt/x/config.json --theirs
              hubfs resolve /mnt/x --ours
            """)

    @Argument(help: "Files or folders of a mount; or where it is mounted, and paths in it.")
    var paths: [String]

    @Flag(help: "Your version goes over theirs with the next commit.")
    var ours = false

    @Flag(help: "Their version is taken, and yours is kept beside it.")
    var theirs = false

    func validate() throws {
        guard !paths.isEmpty else { throw ValidationError("Say which path.") }
        guard ours != theirs else { throw ValidationError("Say one of --ours and --theirs.") }
    }

    func run() throws {
        let (mount, inside) = try place()
        let daemon = try mount.editingDaemon()
        mount.writeBackMappings()
        let result = try daemon.resolve(inside, for: ours ? .ours : .theirs)
        let count = result.changeCount
        try writeLine("resolved \(count) conflict\(count == 1 ? "" : "s")")
        for path in result.asides { try writeLine("your version is kept as \(printable(path))") }
        for path in result.conflicts { try writeLine("left: \(printable(path))") }
    }

    /// The mount, and the paths in it; "" stands for all of it.
    private func place() throws(Failure) -> (MountedFolder, [String]) {
        let mount = try MountedFolder(containing: paths[0])
        guard MountPath.split(paths[0])?.inside.isEmpty == true else {
            return (mount, try paths.map { path throws(Failure) in try mount.inside(path) })
        }
        let rest = try paths.dropFirst().map { path throws(Failure) in try mount.inside(path) }
        return (mount, rest.isEmpty ? [""] : Array(rest))
    }
}
