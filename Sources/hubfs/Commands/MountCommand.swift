import ArgumentParser

struct MountCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mount",
        abstract: "Mount a repo, or a folder of it, at a directory.",
        discussion: """
            Returns when the mount works; a daemon serves it until `hubfs umount DIR`. The mount shows \
            the commit that the revision names now, until it is unmounted. A mount left behind by a \
            daemon that died is replaced.

              hubfs mount hf://openai-community/gpt2 /mnt/gpt2
              hubfs mount hf://datasets/squad@refs/convert/parquet /mnt/squad
              hubfs mount gpt2 /mnt/gpt2 -o allow_other,cache-size=50G

            With -w a branch can be edited by any program. Edits are kept on local disk, under \
            $XDG_STATE_HOME/hubfs, until the Hub has them; unmounting commits them, as one commit. Edits \
            that an earlier mount has left are in the mount again, and are announced. Whether you may write to \
            the repo is found out now, not at the end.

              hubfs mount -w hf://me/my-model /mnt/mine
              hubfs mount -w --commit manual hf://me/my-model@dev /mnt/dev

            In /etc/fstab:

              hf://openai-community/gpt2 /mnt/gpt2 fuse.hubfs _netdev,nofail,allow_other 0 0
            """)

    @Argument(help: "The repo, a folder of it, or the address of its page.")
    var source: String

    @Argument(help: "An existing directory.")
    var directory: String

    @OptionGroup var flags: MountFlags

    @Option(
        name: .customShort("o"),
        help: ArgumentHelp(
            "The options above without their dashes, and those of mount(8), separated by commas.",
            valueName: "opt,opt…"))
    var lists: [String] = []

    func run() throws {
        try Self.mount(source, at: directory, try flags.merged(with: lists))
    }

    /// Mounts in the foreground, or starts a daemon that does and waits until it has.
    static func mount(_ source: String, at directory: String, _ flags: MountFlags) throws {
        let request = try MountRequest(source: source, directory: directory, flags: flags)
        if flags.foreground {
            try MountDaemon(request).run()
        } else {
            try BackgroundStart(request).run()
        }
    }
}
