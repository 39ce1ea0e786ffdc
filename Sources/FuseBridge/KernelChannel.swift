import CFuse
import Glibc
import Platform
import SystemPackage

/// Sends answers to the kernel through libfuse.
final class KernelChannel: ReplyChannel {
    private struct Parked {
        /// What an interrupt does.
        let handler: @Sendable () -> Void
        let request: ParkedRequest?
    }

    /// The requests that are parked now.
    private let parked = Guarded<[RequestID: Parked]>([:], rank: .leaf)
    private let times: RequestTimes
    /// Runs handlers: libfuse holds the request's lock while it reports an interrupt, so the
    /// request must not be answered on that thread.
    private let interrupts = Worker(name: "hubfs-interrupt")
    private let backingFiles: BackingFiles?

    init(backingFiles: BackingFiles?, times: RequestTimes) {
        self.backingFiles = backingFiles
        self.times = times
    }

    /// Requests that are parked now.
    var parkedCount: Int { parked.withLock { $0.count } }

    /// Ends the interrupt thread. No request may be parked afterwards.
    func close() {
        interrupts.close()
    }

    func send(_ answer: Answer, to request: RequestID) {
        let req = request.pointer
        switch answer {
        case .failure(let error): fuse_reply_err(req, error.rawValue)
        case .success: fuse_reply_err(req, 0)
        case .entry(let entry):
            var parameters = entry.parameters
            fuse_reply_entry(req, &parameters)
        case .absent(let cacheTime):
            var parameters = fuse_entry_param()
            parameters.entry_timeout = cacheTime.seconds
            fuse_reply_entry(req, &parameters)
        case .attributes(let attributes, let cacheTime):
            var status = attributes.status
            fuse_reply_attr(req, &status, cacheTime.seconds)
        case .opened(let handle, let keepsCache):
            var info = fuse_file_info()
            info.fh = handle.number
            info.keep_cache = keepsCache ? 1 : 0
            fuse_reply_open(req, &info)
        case .openedDirectly(let handle):
            var info = fuse_file_info()
            info.fh = handle.number
            info.direct_io = 1
            fuse_reply_open(req, &info)
        case .openedBacked(let handle, let file):
            backingFiles?.countOpen()
            withUnsafeBytes(of: BackedOpening(handle: handle.number, file: file.number)) { bytes in
                let start = bytes.baseAddress!.assumingMemoryBound(to: CChar.self)
                fuse_reply_buf(req, start, bytes.count)
            }
        case .openedDirectory(let handle, let keepsCache):
            var info = fuse_file_info()
            info.fh = handle.number
            info.keep_cache = keepsCache ? 1 : 0
            info.cache_readdir = keepsCache ? 1 : 0
            fuse_reply_open(req, &info)
        case .created(let entry, let handle, let keepsCache):
            var parameters = entry.parameters
            var info = fuse_file_info()
            info.fh = handle.number
            info.keep_cache = keepsCache ? 1 : 0
            fuse_reply_create(req, &parameters, &info)
        case .bytes(let bytes):
            times.countRead(bytes.count)
            reply(with: bytes, to: req)
        case .entries(let bytes), .value(let bytes): reply(with: bytes, to: req)
        case .link(let target):
            var text = target.bytes.map { CChar(bitPattern: $0) }
            text.append(0)
            fuse_reply_readlink(req, text)
        case .statistics(let statistics):
            var values = statistics.values
            fuse_reply_statfs(req, &values)
        case .size(let size): fuse_reply_xattr(req, size)
        case .offset(let offset): fuse_reply_lseek(req, off_t(offset))
        case .written(let count):
            times.countWritten(count)
            fuse_reply_write(req, count)
        }
        // A negative result means that the caller or the whole mount has gone: nobody is left to
        // tell.
    }

    private func reply(with bytes: UnsafeRawBufferPointer, to req: fuse_req_t) {
        let start = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
        fuse_reply_buf(req, start, bytes.count)
    }

    func armInterrupt(of request: RequestID, _ handler: @escaping @Sendable () -> Void) {
        let entry = Parked(handler: handler, request: ThreadTimes.park())
        parked.withLock { $0[request] = entry }
        fuse_req_interrupt_func(request.pointer, reportInterrupt, nil)
    }

    func disarmInterrupt(of request: RequestID) {
        fuse_req_interrupt_func(request.pointer, nil, nil)
        let entry = parked.withLock { $0.removeValue(forKey: request) }
        if let request = entry?.request { times.ended(request) }
    }

    /// Called by libfuse when the caller of a parked request is interrupted.
    func interrupted(_ request: RequestID) {
        guard let handler = parked.withLock({ $0[request]?.handler }) else { return }
        _ = interrupts.submit(handler)
    }
}

/// `struct fuse_open_out` with what libfuse 3.14 does not know. The kernel allows no flag of its page
/// cache beside FOPEN_PASSTHROUGH.
private struct BackedOpening {
    let handle: UInt64
    let flags: UInt32 = 1 << 7
    let file: Int32

    init(handle: UInt64, file: Int32) {
        self.handle = handle
        self.file = file
    }
}

private func reportInterrupt(_ req: fuse_req_t?, _: UnsafeMutableRawPointer?) {
    guard let req else { return }
    FuseSession.of(req).channel.interrupted(RequestID(req))
}

extension RequestID {
    init(_ req: fuse_req_t) {
        self.init(bits: UInt(bitPattern: req))
    }

    fileprivate var pointer: fuse_req_t {
        fuse_req_t(bitPattern: bits)!
    }
}

extension FileSystemStatistics {
    fileprivate var values: statvfs {
        var values = statvfs()
        values.f_bsize = UInt(blockBytes)
        values.f_frsize = UInt(blockBytes)
        values.f_blocks = fsblkcnt_t(blockCount)
        values.f_bfree = fsblkcnt_t(freeBlockCount)
        values.f_bavail = fsblkcnt_t(freeBlockCount)
        values.f_files = fsfilcnt_t(fileCount)
        values.f_namemax = 255
        return values
    }
}
