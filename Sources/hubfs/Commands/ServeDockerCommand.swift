import ArgumentParser
import HubClient
import Logging
import Platform
import SystemPackage
import VolumeDrivers

struct ServeDockerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "docker",
        abstract: "Be Docker's volume plugin, in the foreground.",
        discussion: """
            Docker finds the plugin by its socket, and by the name of that:

              hubfs serve docker &
              docker volume create -d hubfs -o uri=hf://openai-community/gpt2 gpt2
              docker run -v gpt2:/model:ro …

            Options of a volume: uri or repo, revision, subpath, rw=true, commit, message, on-conflict, \
            follow, token-file, endpoint, read-timeout, cache-size, uid, gid, umask. They mean what they mean \
            to 'hubfs mount'. Files that they name are those of the machine the plugin runs on.

            Each volume that is in use is a 'hubfs mount' of its own. It goes on when the plugin ends, also \
            when it is killed, and the next plugin finds it; but the first process of a container takes all of \
            them with it. The end of the last container that has a writable volume commits it; \
            'docker volume inspect' tells how that went, or that it goes on.
            """)

    @Option(help: ArgumentHelp("The socket.", valueName: "path"))
    var socket = "/run/docker/plugins/hubfs.sock"

    @Option(
        help: ArgumentHelp(
            "Folder of what is known of volumes (default: $XDG_STATE_HOME/hubfs/docker).",
            valueName: "dir"))
    var state: String?

    @Option(help: ArgumentHelp("Folder of the mount points.", valueName: "dir"))
    var mountRoot = "/var/lib/hubfs/volumes"

    @Option(
        help: ArgumentHelp(
            "How long an unmount waits for its commit, which then goes on; Docker waits 60 (default: 50).",
            valueName: "seconds"))
    var unmountTimeout: Seconds?

    @Option(
        help: ArgumentHelp(
            "How long a mount may take; Docker waits 120 (default: 100).", valueName: "seconds"))
    var mountTimeout: Seconds?

    @Option(
        help: ArgumentHelp(
            "Log trace, debug, info, notice, warning, error or critical, and what is above it.",
            valueName: "level"))
    var logLevel: Logger.Level = .info

    func run() throws {
        let server = VolumeServer()
        let logger = Logger(label: "hubfs.docker") { [logLevel] _ in
            LineLogHandler(log: DaemonLog(file: nil), level: logLevel)
        }
        let plugin = try start(logger)
        logger.info("serving", metadata: ["socket": "\(socket)"])
        server.waitForSignal()
        waitForAnswer { answer in Task { answer(await plugin.stop()) } }
        VolumeServer.endContainer()
    }

    private func start(_ logger: Logger) throws(Failure) -> DockerPlugin {
        let environment = Environment()
        let folder = FilePath(state.map { absolutePath($0) } ?? environment.stateFolder + "/docker")
        let mountRoot = try VolumeServer.madeMountRoot(mountRoot)
        let endpoint = HubEnvironment(variables: environment.variables, tokenFile: nil).endpoint
        let socket = FilePath(absolutePath(socket))
        var patience = Volume.Patience()
        if let seconds = mountTimeout?.value { patience.mounting = .seconds(seconds) }
        if let seconds = unmountTimeout?.value { patience.unmounting = .seconds(seconds) }
        return try VolumeServer.wait { [patience] in
            let store = try VolumeStore(folder)
            let surroundings = Volume.Surroundings(
                commands: try VolumeServer.commands(outputFolder: store.outputFolder), store: store,
                mountRoot: mountRoot, patience: patience, logger: logger)
            let volumes = try await VolumeRegistry(
                surroundings, endpoint: endpoint, checkFlags: VolumeServer.complaint)
            return try await DockerPlugin.start(volumes, at: socket)
        }
    }
}
