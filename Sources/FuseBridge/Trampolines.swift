import CFuse
import Glibc
import SystemPackage

/// libfuse's table of callbacks. Each converts its arguments, finds the session, and calls.
///
/// Source: fuse3/fuse_lowlevel.h.
func makeTrampolines() -> fuse_lowlevel_ops {
    var table = fuse_lowlevel_ops()
    setSessionOperations(&table)
    setNodeOperations(&table)
    setFileOperations(&table)
    setDirectoryOperations(&table)
    setExtendedAttributeOperations(&table)
    return table
}

extension FuseSession {
    /// The session a request belongs to. Valid in callbacks, which end before the session does.
    static func of(_ req: fuse_req_t) -> FuseSession {
        Unmanaged<FuseSession>.fromOpaque(fuse_req_userdata(req)!).takeUnretainedValue()
    }

    func reply<Kind>(to req: fuse_req_t, _: Kind.Type) -> Reply<Kind> {
        Reply(request: RequestID(req), channel: channel)
    }
}

private func setSessionOperations(_ table: inout fuse_lowlevel_ops) {
    table.`init` = { userdata, connection in
        Unmanaged<FuseSession>.fromOpaque(userdata!).takeUnretainedValue()
            .negotiate(&connection!.pointee)
    }
    table.statfs = { req, _ in
        let session = FuseSession.of(req!)
        session.fileSystem.statistics(session.reply(to: req!, RequestKind.Statistics.self))
    }
}

private func setNodeOperations(_ table: inout fuse_lowlevel_ops) {
    table.lookup = { req, parent, name in
        let session = FuseSession.of(req!)
        session.fileSystem.lookup(
            FileName(cString: name!), in: NodeID(parent),
            session.reply(to: req!, RequestKind.Lookup.self))
    }
    table.forget = { req, node, count in
        FuseSession.of(req!).fileSystem.forget(NodeID(node), count: count)
        fuse_reply_none(req)
    }
    table.forget_multi = { req, count, forgets in
        let fileSystem = FuseSession.of(req!).fileSystem
        for index in 0..<count {
            fileSystem.forget(NodeID(forgets![index].ino), count: forgets![index].nlookup)
        }
        fuse_reply_none(req)
    }
    table.getattr = { req, node, _ in
        let session = FuseSession.of(req!)
        session.fileSystem.attributes(
            of: NodeID(node), session.reply(to: req!, RequestKind.Attributes.self))
    }
    table.readlink = { req, node in
        let session = FuseSession.of(req!)
        session.fileSystem.readLink(
            NodeID(node), session.reply(to: req!, RequestKind.Link.self))
    }
}

private func setFileOperations(_ table: inout fuse_lowlevel_ops) {
    table.open = { req, node, info in
        let session = FuseSession.of(req!)
        session.fileSystem.open(
            NodeID(node), flags: info!.pointee.flags,
            session.reply(to: req!, RequestKind.Open.self))
    }
    table.read = { req, node, size, offset, info in
        let session = FuseSession.of(req!)
        session.fileSystem.read(
            NodeID(node), HandleID(info!.pointee.fh), offset: UInt64(offset), count: size,
            session.reply(to: req!, RequestKind.Data.self))
    }
    table.release = { req, _, info in
        let session = FuseSession.of(req!)
        session.fileSystem.release(HandleID(info!.pointee.fh))
        session.reply(to: req!, RequestKind.Status.self).succeed()
    }
    table.lseek = { req, node, offset, whence, info in
        let session = FuseSession.of(req!)
        let reply = session.reply(to: req!, RequestKind.Seek.self)
        guard let target = SeekTarget(whence: whence) else { return reply.fail(.invalidArgument) }
        session.fileSystem.seek(
            NodeID(node), HandleID(info!.pointee.fh), offset: UInt64(offset), to: target, reply)
    }
}

private func setDirectoryOperations(_ table: inout fuse_lowlevel_ops) {
    table.opendir = { req, node, _ in
        let session = FuseSession.of(req!)
        session.fileSystem.openDirectory(
            NodeID(node), session.reply(to: req!, RequestKind.OpenDirectory.self))
    }
    table.readdir = { req, node, size, offset, info in
        readDirectory(req!, node, size, offset, info!, carriesEntries: false)
    }
    table.readdirplus = { req, node, size, offset, info in
        readDirectory(req!, node, size, offset, info!, carriesEntries: true)
    }
    table.releasedir = { req, _, info in
        let session = FuseSession.of(req!)
        session.fileSystem.releaseDirectory(HandleID(info!.pointee.fh))
        session.reply(to: req!, RequestKind.Status.self).succeed()
    }
}

private func readDirectory(
    _ req: fuse_req_t, _ node: fuse_ino_t, _ size: Int, _ offset: off_t,
    _ info: UnsafeMutablePointer<fuse_file_info>, carriesEntries: Bool
) {
    let session = FuseSession.of(req)
    ThreadBuffer.withBytes(count: min(size, ThreadBuffer.byteCount)) { storage in
        session.fileSystem.readDirectory(
            NodeID(node), HandleID(info.pointee.fh), offset: UInt64(offset),
            into: DirectoryBuffer(carriesEntries: carriesEntries, storage: storage),
            session.reply(to: req, RequestKind.Data.self))
    }
}

private func setExtendedAttributeOperations(_ table: inout fuse_lowlevel_ops) {
    table.getxattr = { req, node, name, capacity in
        let session = FuseSession.of(req!)
        session.fileSystem.extendedAttribute(
            FileName(cString: name!), of: NodeID(node), capacity: capacity,
            session.reply(to: req!, RequestKind.ExtendedAttribute.self))
    }
    table.listxattr = { req, node, capacity in
        let session = FuseSession.of(req!)
        session.fileSystem.extendedAttributeNames(
            of: NodeID(node), capacity: capacity,
            session.reply(to: req!, RequestKind.ExtendedAttribute.self))
    }
}

extension SeekTarget {
    /// SEEK_DATA is 3 and SEEK_HOLE 4. Source: linux/fs.h; Glibc hides them behind _GNU_SOURCE.
    fileprivate init?(whence: Int32) {
        switch whence {
        case 3: self = .data
        case 4: self = .hole
        default: return nil
        }
    }
}
