import CFuse
import Glibc
package import Logging
import Platform

/// One mount: the connection to the kernel and the threads that serve it.
///
/// `init` -> `mount` -> `run`, once each and in this order; `stop` may come at any time.
///
/// `@unchecked Sendable`: `session` is written in `init` only and freed in `deinit`, when no
/// thread is left; libfuse's session calls used here may come from any thread.
package final class FuseSession: @unchecked Sendable {
    let fileSystem: any FileSystem
    /// The same file system, if the mount is writable.
    private let writableFileSystem: (any WritableFileSystem)?
    private let folder: FolderFileSystem?
    let channel: KernelChannel
    let initAmendment: InitAmendment
    package let counters = RequestCounters()
    package let times = RequestTimes()
    private let backingFiles: BackingFiles?
    private let options: SessionOptions
    private let logger: Logger
    private var session: OpaquePointer!
    private let service = Monitor(Service())

    private struct Service {
        /// Threads in `serve`.
        var servingCount = 0
        /// True once `run` has to end: `stop` was called, or the kernel has let go of the mount.
        var isStopping = false
    }

    /// - Parameters:
    ///   - fileSystem: Must be a `WritableFileSystem` if `options.isWritable`.
    ///   - backingFiles: What the file system has the kernel read by itself; nil for nothing, as on
    ///     every writable mount.
    ///   - folder: Shown in the root.
    /// - Throws: `FuseError.sessionRefused`.
    package init(
        fileSystem: any FileSystem, options: SessionOptions, backingFiles: BackingFiles? = nil,
        folder: VirtualFolder? = nil, logger: Logger
    ) throws(FuseError) {
        precondition(
            !options.isWritable || backingFiles == nil,
            "on a writable mount the kernel would write to backing files")
        let channel = KernelChannel(backingFiles: backingFiles, times: times)
        self.channel = channel
        initAmendment = InitAmendment(
            isWritable: options.isWritable, backingFiles: backingFiles)
        self.backingFiles = backingFiles
        self.folder = folder.map { folder in
            guard options.isWritable, let below = fileSystem as? any WritableFileSystem else {
                return FolderFileSystem(folder, over: fileSystem, channel)
            }
            return WritableFolderFileSystem(folder, over: below, channel)
        }
        let whole: any FileSystem = self.folder ?? fileSystem
        self.fileSystem = whole
        writableFileSystem = options.isWritable ? whole as? any WritableFileSystem : nil
        precondition(
            !options.isWritable || writableFileSystem != nil,
            "a writable mount needs a file system that can be written to")
        self.options = options
        self.logger = logger
        var operations = makeTrampolines()
        if options.isWritable { addWritingTrampolines(to: &operations) }
        let words = ["hubfs", "-o", options.mountOptions]
        var argv = words.map { strdup($0) }
        defer { for word in argv { free(word) } }
        let userdata = Unmanaged.passUnretained(self).toOpaque()
        session = argv.withUnsafeMutableBufferPointer { argv in
            var args = fuse_args(argc: Int32(argv.count), argv: argv.baseAddress, allocated: 0)
            return fuse_session_new(
                &args, &operations, MemoryLayout<fuse_lowlevel_ops>.size, userdata)
        }
        if session == nil { throw .sessionRefused }
    }

    /// The version of libfuse this process runs with, such as "3.14.0".
    package static var libraryVersion: String { String(cString: fuse_pkgversion()) }

    /// What the callbacks of a writable session call; only that session has them.
    var writable: any WritableFileSystem { writableFileSystem! }

    var isWritable: Bool { writableFileSystem != nil }

    deinit {
        if let session { fuse_session_destroy(session) }
    }

    /// Mounts at `path`. Requests wait in the kernel until `run`.
    ///
    /// - Throws: `FuseError.mountFailed`; libfuse or fusermount3 says why on stderr.
    package func mount(at path: String) throws(FuseError) {
        guard fuse_session_mount(session, path) == 0 else { throw .mountFailed(path: path) }
        initAmendment.install(in: session)
    }

    /// Serves the mount until it is unmounted or `stop` is called; then detaches it.
    ///
    /// Every parked request must be answered by then or within two seconds; the connection is cut
    /// afterwards, so that nobody waits for ever.
    ///
    /// - Parameter willEnd: Runs when no new request will come: the place to end all that parks.
    package func run(willEnd: () -> Void) {
        WakeSignal.install()
        service.update { $0.servingCount = options.threadCount }
        let threads = (0..<options.threadCount).map { index in
            Thread(name: "hubfs-fuse-\(index)") { [self] in serve() }
        }
        service.wait { $0.isStopping ? () : nil }
        endThreads(threads)
        willEnd()
        folder?.state.close()
        waitForParked()
        channel.close()
        backingFiles?.end()
        fuse_session_unmount(session)
    }

    /// Ends `run` soon, whatever still uses the mount: those users get ENOTCONN.
    package func stop() {
        fuse_session_exit(session)
        service.update { $0.isStopping = true }
    }

    /// Runs `send` to notify the kernel, unless the session is ending. `Notifier` calls it from its
    /// thread.
    func notify(_ send: (OpaquePointer) -> Void) {
        if service.update({ $0.isStopping }) { return }
        send(session)
    }

    /// The body of each session thread: takes requests until the session ends.
    private func serve() {
        WakeSignal.unblock()
        var buffer = fuse_buf()
        defer { free(buffer.mem) }
        let times = times.beginThread()
        while fuse_session_exited(session) == 0 {
            let count = fuse_session_receive_buf(session, &buffer)
            // EINTR is a wake-up call: the loop's condition decides.
            if count == -EINTR || count == -EAGAIN { continue }
            guard count > 0 else {
                if count < 0 { logger.error("reading requests failed: errno \(-count)") }
                break
            }
            times.begin(RequestTimes.Kind(operation: counters.count(buffer)))
            fuse_session_process_buf(session, &buffer)
            times.end()
        }
        stop()
        service.update { $0.servingCount -= 1 }
    }

    /// Gets the threads out of read(2). A signal that comes just before the call is lost, so it is
    /// sent again until all have gone.
    private func endThreads(_ threads: [Thread]) {
        while true {
            for thread in threads { thread.send(signal: WakeSignal.number) }
            let next = MonotonicInstant.now.advanced(bySeconds: 0.01)
            let ended: Void? = service.wait(until: next) { $0.servingCount == 0 ? () : nil }
            if ended != nil { break }
        }
        for thread in threads { thread.join() }
    }

    private func waitForParked() {
        let deadline = MonotonicInstant.now.advanced(bySeconds: 2)
        while channel.parkedCount > 0, MonotonicInstant.now < deadline {
            usleep(2000)
        }
        let left = channel.parkedCount
        if left > 0 { logger.error("\(left) requests were never answered; the connection is cut") }
    }
}

/// The signal that gets a session thread out of read(2).
private enum WakeSignal {
    static let number = SIGURG

    /// Sets a handler that does nothing, without SA_RESTART, so that the call ends with EINTR.
    static func install() {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in }
        sigaction(number, &action, nil)
    }

    /// Lets it reach the calling thread, which may have inherited a mask that blocks it: the
    /// threads of libdispatch and of Swift's tasks do.
    static func unblock() {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, number)
        pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    }
}
