import FuseBridge
import Logging

/// How a daemon shows what it does, besides its control socket: by `.hubfs`, and to Prometheus.
///
/// Made before the mount, so that an address somebody else has is told before anything is mounted; `begin`
/// comes before the first request is served.
final class DaemonWatch {
    let folder: VirtualFolder
    private let readers = LateReaders()
    /// Until `server` has it.
    private var socket: MetricsSocket?
    private let logger: Logger
    private var server: MetricsServer?

    /// - Throws: `Failure` when `--metrics` cannot be answered.
    init(_ flags: MountFlags, _ log: DaemonLog, _ logger: Logger) throws(Failure) {
        folder = WatchFolder.folder(for: flags, readers, log)
        self.logger = logger
        guard let address = flags.metrics else {
            socket = nil
            return
        }
        socket = try MetricsSocket(address)
    }

    /// Shows a mount from now on.
    func begin(_ readers: MountReaders) {
        self.readers.set(readers)
        server = socket.take().map {
            MetricsServer($0, logger: logger, figures: readers.figures)
        }
    }

    /// Ends what answers. Again it changes nothing.
    func close() {
        server.take()?.close()
        socket.take()?.close()
    }
}
