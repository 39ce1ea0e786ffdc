/// What the kernel can ask of a mounted file system.
///
/// Calls come on the session's threads, many at a time. None may wait on the network: what cannot
/// be answered at once parks its reply. Write operations are missing here because a read-only
/// mount is refused them by the kernel, with EROFS, before they are asked: `WritableFileSystem`
/// has them.
///
/// Source: libfuse's `fuse_lowlevel_ops`.
package protocol FileSystem: AnyObject, Sendable {
    /// Finds a name. Each `entry` answered raises the node's lookup count by one.
    ///
    /// Valid answers: entry, absent, ENOENT, ENOTDIR, EACCES, EIO, EINTR.
    func lookup(_ name: FileName, in parent: NodeID, _ reply: consuming Reply<RequestKind.Lookup>)

    /// Lowers a node's lookup count; at zero the kernel will not speak of it again.
    func forget(_ node: NodeID, count: UInt64)

    func attributes(of node: NodeID, _ reply: consuming Reply<RequestKind.Attributes>)

    /// - Parameter flags: As given to open(2), without O_CREAT, O_EXCL and O_NOCTTY. With O_TRUNC,
    ///   on a writable mount, the file is emptied by this request and no other.
    func open(_ node: NodeID, flags: Int32, _ reply: consuming Reply<RequestKind.Open>)

    /// Reads up to `count` bytes; less only at the end of the file.
    func read(
        _ node: NodeID, _ handle: HandleID, offset: UInt64, count: Int,
        _ reply: consuming Reply<RequestKind.Data>)

    /// The last user of a handle has gone; mappings of it included.
    func release(_ handle: HandleID)

    func openDirectory(_ node: NodeID, _ reply: consuming Reply<RequestKind.OpenDirectory>)

    /// Fills `buffer` with entries from `offset` on; 0 is the start. With `buffer.carriesEntries`
    /// each entry that fits raises its node's lookup count.
    func readDirectory(
        _ node: NodeID, _ handle: HandleID, offset: UInt64, into buffer: consuming DirectoryBuffer,
        _ reply: consuming Reply<RequestKind.Data>)

    func releaseDirectory(_ handle: HandleID)

    func readLink(_ node: NodeID, _ reply: consuming Reply<RequestKind.Link>)

    func statistics(_ reply: consuming Reply<RequestKind.Statistics>)

    /// - Parameter capacity: Size of the caller's buffer; 0 asks for the size only.
    func extendedAttribute(
        _ name: FileName, of node: NodeID, capacity: Int,
        _ reply: consuming Reply<RequestKind.ExtendedAttribute>)

    func extendedAttributeNames(
        of node: NodeID, capacity: Int, _ reply: consuming Reply<RequestKind.ExtendedAttribute>)

    /// SEEK_DATA and SEEK_HOLE; the kernel does the other kinds by itself.
    ///
    /// Valid answers: offset, ENXIO beyond the end.
    func seek(
        _ node: NodeID, _ handle: HandleID, offset: UInt64, to target: SeekTarget,
        _ reply: consuming Reply<RequestKind.Seek>)
}

/// What `lseek` looks for. Source: man 2 lseek.
package enum SeekTarget: Sendable {
    case data
    case hole
}
