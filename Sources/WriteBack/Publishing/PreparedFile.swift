import HubClient
import Platform
import SystemPackage

/// A file of a coming commit, whose bytes are known.
///
/// A class, because a commit has lists of tens of thousands of them.
final class PreparedFile: Sendable {
    enum Bytes: Sendable {
        /// Those of a staging file, and what it was edited on.
        case staged(StagedBytes, ContentHash)
        /// An LFS object that the Hub has already.
        case base(BaseFile)
    }

    /// From the mounted directory.
    let path: String
    let size: UInt64
    let bytes: Bytes
    /// The object of the workspace; nil for what moved with its directory.
    let number: NodeNumber?
    /// What the base has at this path.
    let replaces: BaseFile?
    /// When a program last changed it, nanoseconds since 1970; nil where that is not known.
    let modifiedNanoseconds: Int64?

    init(
        path: String, size: UInt64, bytes: Bytes, number: NodeNumber?, replaces: BaseFile?,
        modifiedNanoseconds: Int64? = nil
    ) {
        self.path = path
        self.modifiedNanoseconds = modifiedNanoseconds
        self.size = size
        self.bytes = bytes
        self.number = number
        self.replaces = replaces
    }

    /// The same with another hash of its bytes.
    func hashed(_ hash: ContentHash) -> PreparedFile {
        guard case .staged(let staged, _) = bytes else { return self }
        return PreparedFile(
            path: path, size: size, bytes: .staged(staged, hash), number: number,
            replaces: replaces, modifiedNanoseconds: modifiedNanoseconds)
    }

    var isStaged: Bool {
        if case .staged = bytes { true } else { false }
    }

    func isObject(_ oid: LFSOID) -> Bool {
        if case .staged(_, let hash) = bytes { hash.isNamed(.lfs(oid)) } else { false }
    }

    /// The first bytes, by which the Hub decides how a file is to be sent.
    func sample() throws(PublishError) -> [UInt8] {
        guard case .staged(let staged, _) = bytes else { return [] }
        return try staged.bytes(0..<min(size, UInt64(PreuploadFile.sampleByteCountMax)))
    }

    /// Whether the bytes are what the base has at the path.
    var isNoChange: Bool {
        guard let replaces, replaces.size == size else { return false }
        return has(replaces.content)
    }

    /// Whether the bytes are those of a content.
    func has(_ content: ContentID) -> Bool {
        switch bytes {
        case .staged(_, let hash): hash.isNamed(content)
        case .base(let file): file.content == content
        }
    }
}
