import Glibc
import Platform
import SystemPackage

/// A file of the official client's cache, open for reading. It stays readable when its name goes.
final class LowerFile: Sendable {
    /// What is remembered of a file between processes: another file, or other bytes in this one,
    /// give another text. Source: man 2 stat.
    let identity: String
    let size: UInt64
    /// Whether its digest was found right before.
    let isTrusted: Bool
    /// For reading.
    let descriptor: FileDescriptor
    private let modified: timespec

    /// Takes over the descriptor.
    init(_ file: FileDescriptor, status: stat, isTrusted: (_ identity: String) -> Bool) {
        descriptor = file
        modified = status.st_mtim
        identity = Self.identity(status)
        size = UInt64(status.st_size)
        self.isTrusted = isTrusted(identity)
    }

    deinit { try? descriptor.close() }

    /// Whether nobody has written to it since it was opened. That its name goes is no change.
    var isUnchanged: Bool {
        guard let now = try? descriptor.status() else { return false }
        return UInt64(now.st_size) == size && now.st_mtim.tv_sec == modified.tv_sec
            && now.st_mtim.tv_nsec == modified.tv_nsec
    }

    /// - Returns: false when the file is shorter than it was.
    func read(
        into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
    ) throws(Errno) -> Bool {
        try descriptor.readWhole(into: buffer, at: offset) == buffer.count
    }

    static func identity(_ status: stat) -> String {
        let changes = [status.st_mtim, status.st_ctim].map { "\($0.tv_sec).\($0.tv_nsec)" }
        let file = "\(status.st_dev):\(status.st_ino):\(status.st_size)"
        return file + ":" + changes.joined(separator: ":")
    }
}
