import FuseBridge

/// In which way each open inode is read. The kernel refuses to have one open in both (EIO), and to
/// have two backing files of one.
///
/// ```
///           opened, all of it is verified         last close
/// closed ─────────────────────────────────▶ backed ─────────▶ closed
///        ─────────────────────────────────▶ cached ─────────▶ closed
///           opened, something is missing          last close
/// ```
///
/// A file that is fetched while it is open stays cached: the kernel would read holes as zeros.
struct OpeningTable {
    enum Way {
        /// Through hubfs, into the kernel's pages of the mount.
        case cached
        /// By the kernel, from this file.
        case backed(BackingFiles.ID)
    }

    private struct Opening {
        let way: Way
        /// Names the content that is backed.
        let content: ObjectIdentifier
        var count: Int
    }

    private var openings: [NodeID: Opening] = [:]

    /// Inodes that are open now.
    var count: Int { openings.count }

    /// One open more.
    ///
    /// - Parameters:
    ///   - content: What is to be read, by the object that is open for it.
    ///   - register: Makes a backing file of it, if that can be; called if the inode is not open.
    /// - Returns: The way of this open and of all until the last close; nil when it would be the file
    ///   of another content: that one was found damaged and is still open. It counts as no open.
    mutating func open(
        _ node: NodeID, content: AnyObject, register: () -> BackingFiles.ID?
    ) -> Way? {
        let content = ObjectIdentifier(content)
        guard let opening = openings[node] else {
            let way = register().map { Way.backed($0) } ?? .cached
            openings[node] = Opening(way: way, content: content, count: 1)
            return way
        }
        if case .backed = opening.way, opening.content != content { return nil }
        openings[node]?.count += 1
        return opening.way
    }

    /// One open less.
    ///
    /// - Returns: the backing file that nobody needs any more.
    mutating func close(_ node: NodeID) -> BackingFiles.ID? {
        guard let opening = openings[node] else { return nil }
        guard opening.count == 1 else {
            openings[node]?.count -= 1
            return nil
        }
        openings[node] = nil
        if case .backed(let file) = opening.way { return file }
        return nil
    }
}
