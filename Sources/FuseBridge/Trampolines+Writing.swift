import CFuse
import Glibc
import SystemPackage

/// Adds the callbacks of a writable session. A read-only one is never given them, so that the
/// kernel answers by itself: EROFS to every change, success to every flush and fsync.
///
/// getlk, setlk and flock stay unset: the kernel keeps locks itself then. So do poll and ioctl.
func addWritingTrampolines(to table: inout fuse_lowlevel_ops) {
    setCreatingOperations(&table)
    setNamingOperations(&table)
    setAttributeOperations(&table)
    setWritingOperations(&table)
    setSyncOperations(&table)
    setRangeOperations(&table)
    setExtendedAttributeChanges(&table)
}

private func setCreatingOperations(_ table: inout fuse_lowlevel_ops) {
    table.create = { req, parent, name, mode, info in
        let session = FuseSession.of(req!)
        session.writable.create(
            FileName(cString: name!), in: NodeID(parent), permissions: permissionBits(of: mode),
            flags: info!.pointee.flags, caller: Caller(of: req!),
            session.reply(to: req!, RequestKind.Create.self))
    }
    table.mknod = { req, parent, name, mode, _ in
        let session = FuseSession.of(req!)
        let reply = session.reply(to: req!, RequestKind.MakeNode.self)
        // Devices, pipes and sockets: no repo can hold them.
        guard mode & S_IFMT == S_IFREG else { return reply.fail(.notPermitted) }
        session.writable.makeNode(
            FileName(cString: name!), in: NodeID(parent), permissions: permissionBits(of: mode),
            caller: Caller(of: req!), reply)
    }
    table.mkdir = { req, parent, name, mode in
        let session = FuseSession.of(req!)
        session.writable.makeDirectory(
            FileName(cString: name!), in: NodeID(parent), permissions: permissionBits(of: mode),
            caller: Caller(of: req!), session.reply(to: req!, RequestKind.MakeNode.self))
    }
    table.symlink = { req, target, parent, name in
        let session = FuseSession.of(req!)
        session.writable.makeSymbolicLink(
            to: FileName(cString: target!), named: FileName(cString: name!), in: NodeID(parent),
            caller: Caller(of: req!), session.reply(to: req!, RequestKind.MakeNode.self))
    }
    table.link = { req, _, _, _ in
        // git has no hard links. EPERM is what man 2 link has for a file system without them.
        FuseSession.of(req!).reply(to: req!, RequestKind.MakeNode.self).fail(.notPermitted)
    }
}

private func setNamingOperations(_ table: inout fuse_lowlevel_ops) {
    table.unlink = { req, parent, name in
        let session = FuseSession.of(req!)
        session.writable.unlink(
            FileName(cString: name!), in: NodeID(parent),
            session.reply(to: req!, RequestKind.Status.self))
    }
    table.rmdir = { req, parent, name in
        let session = FuseSession.of(req!)
        session.writable.removeDirectory(
            FileName(cString: name!), in: NodeID(parent),
            session.reply(to: req!, RequestKind.Status.self))
    }
    table.rename = { req, parent, name, newParent, newName, flags in
        let session = FuseSession.of(req!)
        let reply = session.reply(to: req!, RequestKind.Status.self)
        guard let rule = RenameRule(flags: flags) else { return reply.fail(.invalidArgument) }
        session.writable.rename(
            FileName(cString: name!), in: NodeID(parent), to: FileName(cString: newName!),
            in: NodeID(newParent), rule, reply)
    }
}

private func setAttributeOperations(_ table: inout fuse_lowlevel_ops) {
    table.setattr = { req, node, values, mask, info in
        let session = FuseSession.of(req!)
        session.writable.setAttributes(
            of: NodeID(node), AttributeChanges(values!.pointee, mask: mask),
            handle: info.map { HandleID($0.pointee.fh) },
            session.reply(to: req!, RequestKind.Attributes.self))
    }
}

private func setWritingOperations(_ table: inout fuse_lowlevel_ops) {
    table.write = { req, node, bytes, count, offset, info in
        let session = FuseSession.of(req!)
        session.writable.write(
            NodeID(node), HandleID(info!.pointee.fh), offset: UInt64(offset),
            bytes: UnsafeRawBufferPointer(start: bytes, count: count),
            session.reply(to: req!, RequestKind.Write.self))
    }
    table.flush = { req, node, info in
        let session = FuseSession.of(req!)
        session.writable.flush(
            NodeID(node), HandleID(info!.pointee.fh),
            session.reply(to: req!, RequestKind.Status.self))
    }
}

private func setSyncOperations(_ table: inout fuse_lowlevel_ops) {
    table.fsync = { req, node, dataOnly, info in
        let session = FuseSession.of(req!)
        session.writable.sync(
            NodeID(node), HandleID(info!.pointee.fh), dataOnly: dataOnly != 0,
            session.reply(to: req!, RequestKind.Status.self))
    }
    table.fsyncdir = { req, node, _, info in
        let session = FuseSession.of(req!)
        session.writable.syncDirectory(
            NodeID(node), HandleID(info!.pointee.fh),
            session.reply(to: req!, RequestKind.Status.self))
    }
}

private func setRangeOperations(_ table: inout fuse_lowlevel_ops) {
    table.fallocate = { req, node, mode, offset, length, info in
        let session = FuseSession.of(req!)
        let reply = session.reply(to: req!, RequestKind.Status.self)
        guard let allocation = Allocation(mode: mode) else { return reply.fail(.notSupported) }
        session.writable.allocate(
            NodeID(node), HandleID(info!.pointee.fh), offset: UInt64(offset),
            length: UInt64(length), allocation, reply)
    }
    table.copy_file_range = {
        req, source, sourceOffset, sourceInfo, target, targetOffset, targetInfo, count, flags in
        let session = FuseSession.of(req!)
        let reply = session.reply(to: req!, RequestKind.Write.self)
        // Linux knows no flags yet. Source: man 2 copy_file_range.
        guard flags == 0 else { return reply.fail(.invalidArgument) }
        session.writable.copyRange(
            from: FilePosition(
                node: NodeID(source), handle: HandleID(sourceInfo!.pointee.fh),
                offset: UInt64(sourceOffset)),
            to: FilePosition(
                node: NodeID(target), handle: HandleID(targetInfo!.pointee.fh),
                offset: UInt64(targetOffset)),
            count: count, reply)
    }
}

private func setExtendedAttributeChanges(_ table: inout fuse_lowlevel_ops) {
    table.setxattr = { req, node, name, value, count, flags in
        let session = FuseSession.of(req!)
        let reply = session.reply(to: req!, RequestKind.Status.self)
        guard let rule = ExtendedAttributeRule(flags: flags) else {
            return reply.fail(.invalidArgument)
        }
        session.writable.setExtendedAttribute(
            FileName(cString: name!), of: NodeID(node),
            to: Array(UnsafeRawBufferPointer(start: value, count: count)), rule, reply)
    }
    table.removexattr = { req, node, name in
        let session = FuseSession.of(req!)
        session.writable.removeExtendedAttribute(
            FileName(cString: name!), of: NodeID(node),
            session.reply(to: req!, RequestKind.Status.self))
    }
}

/// The permission bits of `st_mode`, without those that mean nothing on a mount that is nosuid.
/// Never kept, they need not be taken away at a write either (FUSE_CAP_HANDLE_KILLPRIV).
private func permissionBits(of mode: mode_t) -> mode_t {
    mode & 0o1777
}

extension Caller {
    fileprivate init(of req: fuse_req_t) {
        let context = fuse_req_ctx(req)!.pointee
        self.init(uid: context.uid, gid: context.gid)
    }
}

extension AttributeChanges {
    /// - Parameter mask: FUSE_SET_ATTR_*; what it does not name is not valid in `values`.
    fileprivate init(_ values: stat, mask: Int32) {
        self.init()
        if mask & FUSE_SET_ATTR_SIZE != 0 { size = UInt64(values.st_size) }
        if mask & FUSE_SET_ATTR_MODE != 0 { permissions = permissionBits(of: values.st_mode) }
        if mask & FUSE_SET_ATTR_UID != 0 { uid = values.st_uid }
        if mask & FUSE_SET_ATTR_GID != 0 { gid = values.st_gid }
        if mask & FUSE_SET_ATTR_MTIME_NOW != 0 {
            modified = .now
        } else if mask & FUSE_SET_ATTR_MTIME != 0 {
            modified = ModificationTime(values.st_mtim)
        }
    }
}

extension ModificationTime {
    /// A time beyond what 64 bits of nanoseconds hold (the years 1677 to 2262) is the nearest.
    fileprivate init(_ time: timespec) {
        let (whole, isTooLarge) = Int64(time.tv_sec).multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, isTooLargeInSum) = whole.addingReportingOverflow(Int64(time.tv_nsec))
        let isBeyond = isTooLarge || isTooLargeInSum
        self = .at(nanoseconds: isBeyond ? (time.tv_sec < 0 ? .min : .max) : sum)
    }
}

extension RenameRule {
    /// RENAME_NOREPLACE is 1 and RENAME_EXCHANGE 2. Source: linux/fs.h; Glibc hides them behind
    /// _GNU_SOURCE. RENAME_WHITEOUT is for overlayfs, which has no place on top of hubfs.
    fileprivate init?(flags: UInt32) {
        switch flags {
        case 0: self = .replace
        case 1: self = .noReplace
        case 2: self = .exchange
        default: return nil
        }
    }
}

extension Allocation {
    /// KEEP_SIZE is 1, PUNCH_HOLE 2 (only ever with KEEP_SIZE), ZERO_RANGE 16.
    /// Source: linux/falloc.h.
    fileprivate init?(mode: Int32) {
        switch mode {
        case 0: self = .reserve(keepsSize: false)
        case 1: self = .reserve(keepsSize: true)
        case 1 | 2: self = .punchHole
        case 16: self = .zero(keepsSize: false)
        case 16 | 1: self = .zero(keepsSize: true)
        default: return nil
        }
    }
}

extension ExtendedAttributeRule {
    /// XATTR_CREATE is 1 and XATTR_REPLACE 2. Source: linux/xattr.h.
    fileprivate init?(flags: Int32) {
        switch flags {
        case 0: self = .createOrReplace
        case 1: self = .create
        case 2: self = .replace
        default: return nil
        }
    }
}
