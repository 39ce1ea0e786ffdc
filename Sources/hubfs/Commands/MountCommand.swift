import ArgumentParser
import Glibc
import HubClient

struct MountCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mount",
        abstract: "Mount a repo, or a folder of it, at a directory.",
        discussion: """
            Returns when the mount works; a daemon serves it until `hubfs umount DIR`. The mount shows \
            the commit that the revision names now, until it is unmounted, or with --follow what the branch \
            has later. A mount left behind by a daemon that died is replaced.

              hubfs mount hf://openai-community/gpt2 /mnt/gpt2
              hubfs mount hf://datasets/squad@refs/convert/parquet /mnt/squad
              hubfs mount gpt2 /mnt/gpt2 -o allow_other,cache-size=50G
              hubfs mount --follow=10 hf://me/my-model /mnt/newest

            With -w a branch can be edited by any program. Edits are kept on local disk, under \
            $XDG_STATE_HOME/hubfs, until the Hub has them; unmounting commits them, as one commit. Edits \
            that an earlier mount has left are in the mount again, and are announced. Whether you may write to \
            the repo is found out now, not at the end.

              hubfs mount -w hf://me/my-model /mnt/mine
              hubfs mount -w --commit manual hf://me/my-model@dev /mnt/dev

            hf:// alone is the whole Hub: models/org/name, datasets/org/name@v1, spaces/org/name, and \
            org/name for a model. Repos are opened when they are used, and dropped when nobody uses them. With \
            -w those can be edited that are your token's own or its organisations'; each has its own commit.

              hubfs mount hf:// /hub
              hubfs mount -w hf:// /hub

            Several volumes at once, all or none, each served by a daemon of its own:

              hubfs mount -v hf://org/model:/model -v hf://datasets/org/ds@v2/train:/data:rw
              hubfs mount --volumes volumes.json

            A bucket, files without commits; with -w edits are sent soon after they are made:

              hubfs mount -w hf://buckets/me/runs /mnt/runs

            In /etc/fstab:

              hf://openai-community/gpt2 /mnt/gpt2 fuse.hubfs _netdev,nofail,allow_other 0 0
            """)

    @Argument(help: "The repo, a folder of it, or the address of its page.")
    var source: String?

    @Argument(help: "An existing directory.")
    var directory: String?

    @OptionGroup(title: "Volumes, instead of SRC and DIR")
    var volumes: VolumeOptions

    @OptionGroup var flags: MountFlags

    @Option(
        name: .customShort("o"),
        help: ArgumentHelp(
            "The options above without their dashes, and those of mount(8), separated by commas.",
            valueName: "opt,opt…"))
    var lists: [String] = []

    func validate() throws {
        guard volumes.isGiven ? source == nil : directory != nil else {
            throw ValidationError(
                "Say what is mounted and where: SRC DIR, -v SRC:DIR, or --volumes FILE.")
        }
        do throws(Failure) {
            let flags = try flags.merged(with: lists)
            if volumes.isGiven { return try flags.check(for: volumes) }
            try flags.check(showsWholeHub: SourceName.isWholeHub(source ?? ""))
            let endpoint = flags.hub.hubEnvironment(Environment()).endpoint
            let uri = source.flatMap { try? HubURI(parsing: $0, endpoint: endpoint) }
            try flags.check(showsBucket: uri?.repo.kind == .bucket)
        } catch {
            throw ValidationError(error.sentence)
        }
    }

    func run() throws {
        let flags = try flags.merged(with: lists)
        if let source, let directory { return try Self.mount(source, at: directory, flags) }
        let endpoint = flags.hub.hubEnvironment(Environment()).endpoint
        let specs = try volumes.specs(endpoint: endpoint)
        try flags.check(for: specs)
        _ = try MountedVolume.mountAll(specs, flagsOf(_:))
    }

    /// Mounts in the foreground, or starts a daemon that does and waits until it has.
    static func mount(_ source: String, at directory: String, _ flags: MountFlags) throws {
        let request = try MountRequest(source: source, directory: directory, flags: flags)
        if flags.foreground {
            try MountDaemon(request).run()
        } else {
            switch try BackgroundStart(request).run() {
            case .works: break
            case .failed(let status): Glibc.exit(status)
            }
        }
    }
}
