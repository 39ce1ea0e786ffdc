import ArgumentParser
import Glibc
import HubClient
import Platform
import SystemPackage

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run a command with volumes that it alone sees.",
        usage: "hubfs run -v hf://[TYPE/]ID[@REV][/PATH]:/DIR[:ro|:rw]… [options] -- CMD…",
        discussion: """
            Mounts the volumes in a mount namespace of its own, runs CMD there, and takes them away when CMD \
            ends. Needs no root and no setuid program: only /dev/fuse must be openable, and user \
            namespaces allowed. What CMD leaves running loses the volumes. Nothing stays \
            mounted, whatever is killed; when hubfs run is, so is CMD.

              hubfs run -v hf://org/model:/model -- python serve.py /model
              hubfs run -v hf://datasets/org/ds:/data:rw -m "Clean it" -- python clean.py /data

            Signals are passed to CMD, and its exit code is that of hubfs run (128+N when signal N ended it, \
            127 when there is no such command, 126 when it cannot be run).

            The edits of volumes that end in ':rw' are committed when CMD has ended with 0; --commit-on always \
            or never changes that. What is not committed is kept: 'hubfs recover' lists it, and the next \
            writable mount has it. When CMD ended with 0 and its edits could not be committed, the code is 5.

            The directories must exist; what is in them is hidden from CMD.
            """)

    @OptionGroup(title: "Volumes")
    var volumes: VolumeOptions

    @Option(
        help: ArgumentHelp(
            "When edits are committed: 'success' (CMD ended with 0), 'always' or 'never'.",
            valueName: "when"))
    var commitOn = CommitOn.success

    @OptionGroup(title: "Mount options, of all volumes")
    var flags: MountFlags

    @Option(
        name: .customShort("o"),
        help: ArgumentHelp(
            "The options above without their dashes, separated by commas.", valueName: "opt,opt…"))
    var lists: [String] = []

    @Argument(parsing: .postTerminator, help: "What to run, behind '--'.")
    var command: [String] = []

    func validate() throws {
        if !volumes.isGiven { throw ValidationError("Name a volume: -v hf://org/model:/model.") }
        if command.isEmpty { throw ValidationError("Say what to run, behind '--'.") }
        do throws(Failure) {
            try flags.merged(with: lists).check(for: volumes)
        } catch {
            throw ValidationError(error.sentence)
        }
    }

    func run() throws {
        let flags = try flags.merged(with: lists)
        let endpoint = flags.hub.hubEnvironment(Environment()).endpoint
        let specs = try volumes.specs(endpoint: endpoint)
        try flags.check(for: specs)
        try RunNamespaces.enter()
        let control = try ControlFolder.ofRun(Environment())
        setenv(ControlFolder.runVariable, control.path.string, 1)
        defer { rmdir(control.path.string) }
        // The kernel closes our end of this pipe with us, however we end; daemons have the other.
        let (readEnd, writeEnd) = try FileDescriptor.pipe()
        try readEnd.closeOnExec()
        try writeEnd.closeOnExec()
        let mounted = try MountedVolume.mountAll(specs, flagsOf(_:), owner: readEnd)
        let end = RunEnd(
            of: mounted, commitOn: flags.commit == .manual ? .never : commitOn,
            environment: Environment())
        lookAnewAtFolder()
        let status = end.run(after: try ChildCommand(command).run())
        if status != 0 {
            rmdir(control.path.string)
            Glibc.exit(status)
        }
    }

    /// A working directory that a volume has covered is the volume's from now on.
    private func lookAnewAtFolder() {
        guard let folder = getcwd(nil, 0) else { return }
        defer { free(folder) }
        chdir(folder)
    }
}
