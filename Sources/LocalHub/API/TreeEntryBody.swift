import XetCodec

/// An entry of a tree listing or of paths-info.
struct TreeEntryBody: Encodable {
    struct LFS: Encodable {
        let oid: String
        let size: Int
        let pointerSize: Int
    }

    struct LastCommit: Encodable {
        let id: String
        let title: String
        let date: String
    }

    let type: String
    let oid: String
    let size: Int
    let path: String
    var lfs: LFS?
    /// Where it is known.
    var xetHash: String?
    var lastCommit: LastCommit?

    init(_ item: TreeItem, lastCommit: CommitRecord?, xetHash: XetHash?) {
        type = item.entry.kind.isDirectory ? "directory" : "file"
        oid = item.entry.oid
        size = item.contentSize
        path = item.path
        lfs = item.pointer.map {
            LFS(oid: $0.oid, size: $0.size, pointerSize: item.size)
        }
        self.xetHash = xetHash?.text
        self.lastCommit = lastCommit.map {
            LastCommit(id: $0.oid, title: $0.title, date: JSONText.date($0.date))
        }
    }
}

/// Where a tree page ends: its last path, and the tree it is of, so that the pages of one listing
/// are of one commit whatever is pushed meanwhile.
struct TreeCursor: Equatable {
    let tree: String
    let path: String

    /// Hex of `TREE/PATH`; opaque to clients.
    var text: String { hex((tree + "/" + path).utf8) }

    init(tree: String, path: String) {
        self.tree = tree
        self.path = path
    }

    init?(_ text: String) {
        guard let bytes = bytes(ofHex: text), String(validating: bytes, as: UTF8.self) != nil,
            bytes.count > 41,
            isHex(String(decoding: bytes[..<40], as: UTF8.self))
        else { return nil }
        self.init(
            tree: String(decoding: bytes[..<40], as: UTF8.self),
            path: String(decoding: bytes[41...], as: UTF8.self))
    }
}
