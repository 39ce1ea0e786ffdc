import ArgumentParser
import Glibc
import HubClient
import Logging
import Platform
import SystemPackage
import VolumeDrivers

struct ServeCSICommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "csi",
        abstract: "Be the CSI driver of a Kubernetes node, in the foreground.",
        discussion: """
            Serves CSI's Identity and Node services for inline and for persistent volumes. deploy/ has manifests and a \
            Helm chart, docs/KUBERNETES.md the attributes of volumes.

            Each volume that a pod has is a 'hubfs mount' of its own. It goes on when the driver is killed, and the \
            next one finds it; but the first process of a container takes all of them with it. The end of the last pod \
            that has a writable volume commits it. Tokens come from the volumes' secrets alone: that of this machine is \
            nobody's.
            """)

    @Option(
        help: ArgumentHelp(
            "The socket: unix:///PATH, or a path (default: $CSI_ENDPOINT).", valueName: "address"))
    var endpoint: String?

    @Option(help: ArgumentHelp("What Kubernetes calls this machine.", valueName: "name"))
    var nodeID: String

    @Option(
        help: ArgumentHelp(
            "What volumes and the CSIDriver object call the driver.", valueName: "name"))
    var driverName = "csi.hubfs"

    @Option(
        help: ArgumentHelp(
            "Folder of what is known of volumes, and of their tokens (default: $XDG_STATE_HOME/hubfs/csi).",
            valueName: "dir"))
    var state: String?

    @Option(
        help: ArgumentHelp(
            "Folder of the mounts, which are bound to pods' paths.", valueName: "dir"))
    var mountRoot = "/var/lib/hubfs/csi"

    @Option(
        help: ArgumentHelp(
            "How long an unpublish waits for its commit, which then goes on; Kubernetes waits 120 (default: 100).",
            valueName: "seconds"))
    var unmountTimeout: Seconds?

    @Option(
        help: ArgumentHelp(
            "How long a mount may take; Kubernetes waits 120 (default: 100).", valueName: "seconds")
    )
    var mountTimeout: Seconds?

    @Option(
        help: ArgumentHelp(
            "As a container's first process: how long SIGTERM waits for the commits of all volumes, before edits "
                + "are kept (default: 8). Less than terminationGracePeriodSeconds.",
            valueName: "seconds"))
    var shutdownTimeout: Seconds?

    @Option(
        help: ArgumentHelp(
            "Log trace, debug, info, notice, warning, error or critical, and what is above it.",
            valueName: "level"))
    var logLevel: Logger.Level = .info

    /// In bytes. Source: CSI specification, the table of size limits.
    private static let nodeIDBytesMax = 256
    /// Of a name, in characters. Source: CSI specification, GetPluginInfo.
    private static let driverNameLengthMax = 63
    /// Of this machine's own login, which pods must not get.
    private static let tokenVariables = [
        "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HUB_DISABLE_IMPLICIT_TOKEN",
    ]

    func validate() throws {
        guard !nodeID.isEmpty, nodeID.utf8.count <= Self.nodeIDBytesMax else {
            throw ValidationError("--node-id has from 1 to \(Self.nodeIDBytesMax) bytes.")
        }
        let name = driverName.utf8
        guard let first = driverName.first, let last = driverName.last, first.isLetter,
            last.isLetter,
            name.count <= Self.driverNameLengthMax,
            driverName.allSatisfy({
                $0.isASCII && ($0.isLetter || $0.isNumber || "-.".contains($0))
            })
        else {
            throw ValidationError(
                "--driver-name is a domain name of at most \(Self.driverNameLengthMax) characters, such as csi.hubfs."
            )
        }
    }

    func run() throws {
        let server = VolumeServer()
        let logger = Logger(label: "hubfs.csi") { [logLevel] _ in
            LineLogHandler(log: DaemonLog(file: nil), level: logLevel)
        }
        for name in Self.tokenVariables { unsetenv(name) }
        let (driver, socket) = try start(logger)
        logger.info(
            "serving",
            metadata: ["socket": "\(socket)", "driver": "\(driverName)", "node": "\(nodeID)"])
        server.waitForSignal()
        waitForAnswer { answer in Task { answer(await driver.stop()) } }
        VolumeServer.endContainer(graceSeconds: graceSeconds)
    }

    private var graceSeconds: Double {
        shutdownTimeout?.value ?? VolumeServer.containerGraceSeconds
    }

    private func start(_ logger: Logger) throws(Failure) -> (CSIDriver, FilePath) {
        let environment = Environment()
        let folder = FilePath(state.map { absolutePath($0) } ?? environment.stateFolder + "/csi")
        let mountRoot = try VolumeServer.madeMountRoot(mountRoot)
        let hub = HubEnvironment(variables: environment.variables, tokenFile: nil).endpoint
        let socket = try socket(environment)
        var patience = Volume.Patience()
        if let seconds = mountTimeout?.value { patience.mounting = .seconds(seconds) }
        patience.unmounting = .seconds(unmountTimeout?.value ?? 100)
        return try VolumeServer.wait { [self, patience] in
            let store = try VolumeStore(folder)
            let commands = try VolumeServer.commands(
                outputFolder: store.outputFolder, graceSeconds: graceSeconds)
            let surroundings = Volume.Surroundings(
                commands: commands, store: store, mountRoot: mountRoot, patience: patience,
                logger: logger)
            let volumes = try await PublishedVolumes(
                surroundings, tokens: folder.appending("tokens"), endpoint: hub,
                checkFlags: VolumeServer.complaint)
            let driver = try await CSIDriver.start(
                volumes, name: driverName, nodeID: nodeID, at: socket, logger: logger)
            // Meanwhile calls are answered, and Probe says that we are not ready.
            Task { await volumes.recover() }
            return (driver, socket)
        }
    }

    private func socket(_ environment: Environment) throws(Failure) -> FilePath {
        guard let address = endpoint ?? environment["CSI_ENDPOINT"] else {
            throw Failure(.usage, "there is no --endpoint, and CSI_ENDPOINT is not set")
        }
        let path = address.hasPrefix("unix://") ? String(address.dropFirst(7)) : address
        guard path.hasPrefix("/") else {
            throw Failure(
                .usage, "--endpoint is unix:///PATH or a path from the root, not '\(address)'")
        }
        return FilePath(path)
    }
}
