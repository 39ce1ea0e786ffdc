package import Glibc

/// What `setAttributes` changes; nil is left as it is. Access times are not kept, so a change of
/// nothing but them arrives with everything nil.
package struct AttributeChanges: Hashable, Sendable {
    /// Bytes; the file is cut, or grows by a hole.
    package var size: UInt64?
    /// Permission bits, without the type.
    package var permissions: mode_t?
    package var uid: uid_t?
    package var gid: gid_t?
    package var modified: ModificationTime?

    package init(
        size: UInt64? = nil, permissions: mode_t? = nil, uid: uid_t? = nil, gid: gid_t? = nil,
        modified: ModificationTime? = nil
    ) {
        self.size = size
        self.permissions = permissions
        self.uid = uid
        self.gid = gid
        self.modified = modified
    }
}

/// What a modification time is set to.
package enum ModificationTime: Hashable, Sendable {
    /// The file system's clock decides.
    case now
    /// Since 1970; may be negative.
    case at(nanoseconds: Int64)
}

/// What a rename does with a new name that exists. Source: man 2 renameat2.
package enum RenameRule: Hashable, Sendable {
    /// It is replaced, in one step; its node lives on as after `unlink`.
    case replace
    /// EEXIST.
    case noReplace
    /// Both names must exist and change places; either may be a directory.
    case exchange
}

/// What fallocate(2) does with a range.
package enum Allocation: Hashable, Sendable {
    /// Bytes that exist stay; unless `keepsSize` the file grows to the end of the range.
    case reserve(keepsSize: Bool)
    /// The range reads as zeros and takes no space; the size stays.
    case punchHole
    /// The range reads as zeros; unless `keepsSize` the file grows to its end.
    case zero(keepsSize: Bool)
}

/// A place in an open file.
package struct FilePosition: Hashable, Sendable {
    package let node: NodeID
    package let handle: HandleID
    /// Bytes from the start of the file.
    package let offset: UInt64

    package init(node: NodeID, handle: HandleID, offset: UInt64) {
        self.node = node
        self.handle = handle
        self.offset = offset
    }
}

/// Whether an extended attribute may exist before it is set. Source: man 2 setxattr.
package enum ExtendedAttributeRule: Hashable, Sendable {
    case createOrReplace
    /// EEXIST if it exists.
    case create
    /// ENODATA if it does not.
    case replace
}
