import CFuse
import Synchronization

/// How often the kernel has asked for what, since the mount began.
///
/// `@unchecked Sendable`: the memory is atomic numbers, made in `init` and freed in `deinit`.
package final class RequestCounters: @unchecked Sendable {
    private let counts: UnsafeMutablePointer<Atomic<UInt64>>
    /// Operations beyond are counted with the unknown ones, as number 0.
    private static let operationCount = 64

    init() {
        counts = .allocate(capacity: Self.operationCount)
        for operation in 0..<Self.operationCount {
            (counts + operation).initialize(to: Atomic(0))
        }
    }

    deinit {
        counts.deinitialize(count: Self.operationCount)
        counts.deallocate()
    }

    /// What was asked for at least once, by the operation's name.
    package var snapshot: [String: UInt64] {
        var snapshot: [String: UInt64] = [:]
        for operation in 0..<Self.operationCount {
            let count = counts[operation].load(ordering: .relaxed)
            if count > 0 { snapshot[Self.names[operation] ?? "other", default: 0] += count }
        }
        return snapshot
    }

    /// - Parameter buffer: A request as it was read: `fuse_in_header` comes first.
    /// - Returns: the operation's number; 0 for an unknown one.
    func count(_ buffer: fuse_buf) -> Int {
        guard buffer.size >= 8, let header = buffer.mem else { return 0 }
        let operation = header.load(fromByteOffset: 4, as: UInt32.self)
        let index = operation < Self.operationCount ? Int(operation) : 0
        counts[index].add(1, ordering: .relaxed)
        return index
    }

    /// Source: linux/fuse.h (`enum fuse_opcode`).
    private static let names: [Int: String] = [
        1: "lookup", 2: "forget", 3: "getattr", 4: "setattr", 5: "readlink", 6: "symlink",
        8: "mknod", 9: "mkdir", 10: "unlink", 11: "rmdir", 12: "rename", 13: "link", 14: "open",
        15: "read", 16: "write", 17: "statfs", 18: "release", 20: "fsync", 21: "setxattr",
        22: "getxattr", 23: "listxattr", 24: "removexattr", 25: "flush", 26: "init",
        27: "opendir", 28: "readdir", 29: "releasedir", 30: "fsyncdir", 34: "access",
        35: "create", 36: "interrupt", 38: "destroy", 39: "ioctl", 42: "forget",
        43: "fallocate", 44: "readdir", 45: "rename", 46: "lseek", 47: "copy", 50: "syncfs",
    ]
}

extension RequestTimes.Kind {
    /// - Parameter operation: As `RequestCounters` has it.
    /// - Returns: nil for what nobody waits for: forget, release, interrupt, init, destroy. A close waits
    ///   for the flush before its release.
    init?(operation: Int) {
        switch operation {
        case 15: self = .readAtOnce
        case 16, 47: self = .write
        case 20, 30, 50: self = .sync
        case 0, 2, 18, 26, 29, 36, 38, 42: return nil
        default: self = .metadata
        }
    }
}
