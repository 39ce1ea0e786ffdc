import Glibc

/// The number by which the kernel and hubfs speak of one inode of a mount.
package struct NodeID: Hashable, Sendable, CustomStringConvertible {
    package let number: UInt64

    package init(_ number: UInt64) { self.number = number }

    /// The root of the mount, `FUSE_ROOT_ID`.
    package static let root = NodeID(1)

    package var description: String { "node \(number)" }
}

/// The number `open` or `opendir` answered with; lives until release.
package struct HandleID: Hashable, Sendable {
    package let number: UInt64

    package init(_ number: UInt64) { self.number = number }
}

/// One component of a path, in the bytes the caller gave: not necessarily UTF-8.
package struct FileName: Hashable, Sendable, CustomStringConvertible {
    package let bytes: [UInt8]

    package init(bytes: [UInt8]) { self.bytes = bytes }

    package init(_ text: String) { bytes = Array(text.utf8) }

    /// Copies a NUL-terminated name as the kernel passes it.
    init(cString: UnsafePointer<CChar>) {
        let count = strlen(cString)
        bytes = cString.withMemoryRebound(to: UInt8.self, capacity: count) {
            Array(UnsafeBufferPointer(start: $0, count: count))
        }
    }

    package var description: String { String(decoding: bytes, as: UTF8.self) }
}
