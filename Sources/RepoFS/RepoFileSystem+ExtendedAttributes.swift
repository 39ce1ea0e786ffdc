package import FuseBridge
import HubClient
import Platform
import SystemPackage

/// What hubfs tells of a file or directory beyond `stat`; getfattr -d shows it.
enum HubAttribute: String, CaseIterable {
    /// The identity of the content: git blob oid, LFS sha256, Xet hash of a bucket's file, or git tree oid of
    /// a directory.
    case oid = "user.hubfs.oid"
    /// The sha256 of the bytes; on LFS files only.
    case sha256 = "user.hubfs.sha256"
    /// The commit the mount shows, or did when it had the file that is open.
    case commit = "user.hubfs.commit"
    /// How many bytes of a file can be read without the Hub, in decimal: those in the cache or in the
    /// official client's.
    case cached = "user.hubfs.cached"
}

extension FileName {
    /// Whether it names an attribute of the namespace `user.`, the only one files here have:
    /// capabilities and access lists would need to be obeyed.
    ///
    /// Asked for one of another, a file system without them answers EOPNOTSUPP. `ls -l` asks every
    /// file for its ACL and its SELinux label, and the kernel keeps neither answer; with this one ls
    /// asks once a device.
    var isUserAttribute: Bool { bytes.starts(with: "user.".utf8) }
}

extension RepoFileSystem {
    package func extendedAttribute(
        _ name: FileName, of node: NodeID, capacity: Int,
        _ reply: consuming Reply<RequestKind.ExtendedAttribute>
    ) {
        guard name.isUserAttribute else { return reply.fail(.notSupported) }
        guard let known = inodes.withLock({ $0.node(node) }) else {
            return reply.fail(.staleNFSFileHandle)
        }
        guard let attribute = HubAttribute(rawValue: name.description),
            let text = value(of: attribute, for: known)
        else { return reply.fail(.noData) }
        reply.value(Array(text.utf8), capacity: capacity)
    }

    package func extendedAttributeNames(
        of node: NodeID, capacity: Int, _ reply: consuming Reply<RequestKind.ExtendedAttribute>
    ) {
        guard let known = inodes.withLock({ $0.node(node) }) else {
            return reply.fail(.staleNFSFileHandle)
        }
        let names = HubAttribute.allCases.filter { value(of: $0, for: known) != nil }
        reply.value(names.flatMap { Array($0.rawValue.utf8) + [0] }, capacity: capacity)
    }

    private func value(of attribute: HubAttribute, for node: InodeTable.Node) -> String? {
        switch (attribute, node.kind) {
        case (.commit, _): inodes.withLock { $0.place(of: node.id).snapshot.commit.hex }
        case (.oid, .directory(let tree)): tree?.hex
        case (.oid, .file(let content, _)): content.digest
        case (.sha256, .file(.lfs(let oid), _)): oid.hex
        case (.sha256, _), (.cached, .directory): nil
        case (.cached, .file(let content, let size)):
            String(presentBytes(of: content, size: size, at: node.id))
        }
    }

    private func presentBytes(of content: ContentID, size: UInt64, at node: NodeID) -> UInt64 {
        let place = inodes.withLock { $0.place(of: node) }
        let tree = tree(at: place.snapshot)
        return tree.presentBytes(
            of: tree.location(path: place.path, content: content, size: size))
    }
}
