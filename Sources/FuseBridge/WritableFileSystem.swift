package import Glibc

/// What the kernel can ask of a mount that may be written to, besides all of `FileSystem`.
///
/// The kernel is the only one who changes such a mount, and remembers what it did: after a write,
/// a truncation or a rename it distrusts by itself exactly what has changed, and asks again. So
/// entries and attributes may be given for `CacheTime.forever`, as long as every answer tells the
/// state after the last change answered:
/// - `attributes` of a node without a name left: `linkCount` 0, for as long as it is open.
/// - A changed size, whatever changed it, is a changed modification time too: for writes and
///   truncations the kernel sends none.
/// - `readDirectory` at offset 0 lists the directory as it is then, not as it was at `opendir`:
///   the kernel takes what it gets for the listing after the last change it has sent.
/// - `readDirectory` must not offer an entry of an older state: a readdirplus would bring a removed
///   name back to life. A name that has gone or has another node now is left out, or added to the
///   buffer without its entry.
/// - `openDirectory` answers `keepsCache` only for a directory that has never been changed: two
///   streams of different states would be mixed into one cached listing.
///
/// Hard links (EPERM), device nodes (EPERM) and O_TMPFILE (EOPNOTSUPP) are refused by the bridge;
/// flock and fcntl locks stay in the kernel. Setuid and setgid bits are taken out of `permissions`
/// before they get here, since a mount is nosuid.
///
/// Source: libfuse's `fuse_lowlevel_ops`; linux fs/fuse/dir.c and file.c for what is cached.
package protocol WritableFileSystem: FileSystem {
    /// Makes a regular file and opens it. The answer raises the node's lookup count by one.
    ///
    /// - Parameters:
    ///   - permissions: The caller's umask is taken out of them.
    ///   - flags: As given to open(2), O_CREAT included; with O_EXCL a name that exists is EEXIST,
    ///     else it is opened, and emptied if O_TRUNC says so.
    func create(
        _ name: FileName, in parent: NodeID, permissions: mode_t, flags: Int32, caller: Caller,
        _ reply: consuming Reply<RequestKind.Create>)

    /// Makes an empty regular file without opening it, for mknod(2).
    func makeNode(
        _ name: FileName, in parent: NodeID, permissions: mode_t, caller: Caller,
        _ reply: consuming Reply<RequestKind.MakeNode>)

    func makeDirectory(
        _ name: FileName, in parent: NodeID, permissions: mode_t, caller: Caller,
        _ reply: consuming Reply<RequestKind.MakeNode>)

    /// - Parameter target: What the link says, in the caller's bytes: any text but NUL.
    func makeSymbolicLink(
        to target: FileName, named name: FileName, in parent: NodeID, caller: Caller,
        _ reply: consuming Reply<RequestKind.MakeNode>)

    /// Removes a name that is no directory. Its node lives until it is released and forgotten:
    /// requests by open handles go on coming.
    func unlink(
        _ name: FileName, in parent: NodeID, _ reply: consuming Reply<RequestKind.Status>)

    /// Valid errors: ENOTEMPTY, ENOENT, ENOTDIR. The node lives on as with `unlink`.
    func removeDirectory(
        _ name: FileName, in parent: NodeID, _ reply: consuming Reply<RequestKind.Status>)

    /// Moves a name. Nodes keep their numbers, and children of a directory stay known under them.
    ///
    /// The kernel has checked that a directory is not moved into itself, and, unless the rule is
    /// `exchange`, that a directory replaces only a directory and a file no directory.
    func rename(
        _ name: FileName, in parent: NodeID, to newName: FileName, in newParent: NodeID,
        _ rule: RenameRule, _ reply: consuming Reply<RequestKind.Status>)

    /// Changes the attributes that are not nil, all or none, and answers what they are now.
    ///
    /// - Parameter handle: The open file of an ftruncate; nil for everything else.
    func setAttributes(
        of node: NodeID, _ changes: AttributeChanges, handle: HandleID?,
        _ reply: consuming Reply<RequestKind.Attributes>)

    /// Writes all of `bytes` at `offset`.
    ///
    /// `offset` is right for O_APPEND too, because the kernel knows the size; nothing may be
    /// appended by the flags of the handle. Stores to a mapping come with any handle of the node
    /// that is open for writing.
    ///
    /// - Parameter bytes: At most `ThreadBuffer.byteCount`; valid during the call only.
    func write(
        _ node: NodeID, _ handle: HandleID, offset: UInt64, bytes: UnsafeRawBufferPointer,
        _ reply: consuming Reply<RequestKind.Write>)

    /// One descriptor of the handle is closed; there may be more, or none was ever written to.
    /// An error is what close(2) answers.
    func flush(
        _ node: NodeID, _ handle: HandleID, _ reply: consuming Reply<RequestKind.Status>)

    /// fsync(2), and fdatasync(2) with `dataOnly`: success promises durability. The kernel has
    /// sent all stores to mappings before.
    func sync(
        _ node: NodeID, _ handle: HandleID, dataOnly: Bool,
        _ reply: consuming Reply<RequestKind.Status>)

    /// fsync(2) of a directory: the names in it are durable afterwards.
    func syncDirectory(
        _ node: NodeID, _ handle: HandleID, _ reply: consuming Reply<RequestKind.Status>)

    /// Reserves or empties a range. The kernel forgets its pages of an emptied range.
    ///
    /// Valid errors: EOPNOTSUPP, ENOSPC, EFBIG.
    func allocate(
        _ node: NodeID, _ handle: HandleID, offset: UInt64, length: UInt64,
        _ allocation: Allocation, _ reply: consuming Reply<RequestKind.Status>)

    /// Copies up to `count` bytes within the mount; less, or 0, at the end of the source.
    /// With EOPNOTSUPP or EXDEV the kernel copies by reading and writing.
    ///
    /// - Parameter count: Below 4 GiB.
    func copyRange(
        from source: FilePosition, to destination: FilePosition, count: Int,
        _ reply: consuming Reply<RequestKind.Write>)

    /// Valid errors: EEXIST and ENODATA by `rule`, EOPNOTSUPP for a name space that is not kept,
    /// `security.capability` and `system.posix_acl_access` among them; ENOSPC, E2BIG.
    func setExtendedAttribute(
        _ name: FileName, of node: NodeID, to value: [UInt8], _ rule: ExtendedAttributeRule,
        _ reply: consuming Reply<RequestKind.Status>)

    /// Valid errors: ENODATA.
    func removeExtendedAttribute(
        _ name: FileName, of node: NodeID, _ reply: consuming Reply<RequestKind.Status>)
}

/// Who asks: the owner of what is made.
package struct Caller: Hashable, Sendable {
    package let uid: uid_t
    package let gid: gid_t

    package init(uid: uid_t, gid: gid_t) {
        self.uid = uid
        self.gid = gid
    }
}
