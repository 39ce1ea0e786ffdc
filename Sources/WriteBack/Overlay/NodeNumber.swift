/// Names an object of a writable mount: what the kernel calls a node id. Never used twice in a
/// workspace, also not after a restart.
package struct NodeNumber: Hashable, Sendable, Comparable {
    package let value: UInt64

    package init(_ value: UInt64) { self.value = value }

    package static let root = NodeNumber(1)

    package static func < (left: Self, right: Self) -> Bool { left.value < right.value }
}

/// One component of a path, in the bytes the caller gave: not necessarily UTF-8.
///
/// Compared byte by byte, as the kernel and the Hub do.
package struct EntryName: Hashable, Sendable, Comparable, CustomStringConvertible {
    package let bytes: [UInt8]

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    package init(_ text: String) { bytes = Array(text.utf8) }

    /// The name as text; nil when it is not UTF-8.
    package var text: String? { String(validating: bytes, as: UTF8.self) }

    /// The name for messages, with what is not UTF-8 replaced.
    package var description: String { String(decoding: bytes, as: UTF8.self) }

    package static func < (left: Self, right: Self) -> Bool {
        left.bytes.lexicographicallyPrecedes(right.bytes)
    }
}
