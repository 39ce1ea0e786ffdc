import Crypto
import HubClient
import Platform
import SystemPackage
import XetCodec

/// The names the bytes of one file can have at the Hub.
///
/// A class: a file's layer, the frozen file and the prepared one all hold it, mostly without one.
final class ContentHash: Sendable {
    private enum Names: Sendable {
        /// In a repo, where the Hub decides which of the two is used; of a large file it is the second, so
        /// that the first is found when it is not.
        case repo(git: BlobOID?, lfs: LFSOID)
        case bucket(XetOID)
    }

    /// What the bytes are wanted for.
    enum Purpose: Sendable {
        /// The Hub decides whether git keeps them.
        case repo
        /// The same, and it will be the content-addressed store that keeps a large file.
        case store
        case bucket
    }

    private let names: Names
    /// How they are cut for the content-addressed store, where that was found on the way.
    let chunks: [MerkleNode]?
    /// How it is put together from what the store has; nil where all of it was read.
    let delta: FileDelta?

    /// From here on the two hashes are found side by side: reading twice from the page cache costs
    /// a tenth of what one hash does.
    private static let threadedByteCountMin: UInt64 = 8 << 20

    /// Reads the whole file.
    init(of file: StagedBytes, for purpose: Purpose) throws(PublishError) {
        delta = nil
        let size = file.size
        if purpose == .bucket {
            let chunks = try FileCutting.chunks(of: file)
            names = .bucket(XetOID(hex: FileCutting.name(of: chunks).text)!)
            self.chunks = chunks
            return
        }
        if purpose == .store, size >= Self.threadedByteCountMin {
            let digest = Monitor<Result<SHA256, PublishError>>(.success(SHA256()))
            let thread = Thread(name: "hubfs-hash") {
                digest.update { $0 = Self.adding(file, to: SHA256()) }
            }
            let chunks = Result { () throws(PublishError) in try FileCutting.chunks(of: file) }
            thread.join()
            let lfs = LFSOID(bytes: Array(try digest.update { $0 }.get().finalize()))!
            names = .repo(git: nil, lfs: lfs)
            self.chunks = try chunks.get()
            return
        }
        chunks = nil
        var sha256 = SHA256()
        var sha1 = Insecure.SHA1()
        sha1.update(data: Array("blob \(size)\0".utf8))
        if size < Self.threadedByteCountMin {
            try PieceReader(file).forEachPiece { piece in
                sha256.update(bufferPointer: piece)
                sha1.update(bufferPointer: piece)
            }
        } else {
            let other = Monitor<Result<Insecure.SHA1, PublishError>>(.success(sha1))
            let thread = Thread(name: "hubfs-hash") { [sha1] in
                other.update { $0 = Self.adding(file, to: sha1) }
            }
            let mine = Self.adding(file, to: sha256)
            thread.join()
            sha256 = try mine.get()
            sha1 = try other.update { $0 }.get()
        }
        names = .repo(
            git: BlobOID(bytes: Array(sha1.finalize()))!,
            lfs: LFSOID(bytes: Array(sha256.finalize()))!)
    }

    /// Of a file of a bucket that was not read.
    init(_ delta: FileDelta) {
        names = .bucket(XetOID(hex: delta.hash.text)!)
        chunks = nil
        self.delta = delta
    }

    /// With the name that git would give them.
    private init(_ hash: ContentHash, git: BlobOID, lfs: LFSOID) {
        names = .repo(git: git, lfs: lfs)
        chunks = hash.chunks
        delta = nil
    }

    /// The same with the name that git would give the bytes, which takes reading them again where it was not
    /// expected to be wanted.
    func withGitName(of file: StagedBytes) throws(PublishError) -> ContentHash {
        guard case .repo(nil, let lfs) = names else { return self }
        var sha1 = Insecure.SHA1()
        sha1.update(data: Array("blob \(file.size)\0".utf8))
        let digest = try Self.adding(file, to: sha1).get().finalize()
        return ContentHash(self, git: BlobOID(bytes: Array(digest))!, lfs: lfs)
    }

    private static func adding<Hash: HashFunction>(
        _ file: StagedBytes, to start: Hash
    ) -> Result<Hash, PublishError> {
        Result { () throws(PublishError) in
            var hash = start
            try PieceReader(file).forEachPiece { hash.update(bufferPointer: $0) }
            return hash
        }
    }

    /// Whether `content` names these bytes.
    func isNamed(_ content: ContentID) -> Bool {
        switch (names, content) {
        case (.repo(let git, _), .git(let oid)): git == oid
        case (.repo(_, let lfs), .lfs(let oid)): lfs == oid
        case (.bucket(let name), .xet(let oid)): name == oid
        default: false
        }
    }

    /// The name that they have when they are sent in this way; in a bucket there is one. Into git goes only
    /// what has the name for it, see `withGitName`.
    func content(_ mode: PreuploadVerdict.Mode?) -> ContentID {
        switch names {
        case .repo(_, let lfs) where mode == .lfs: .lfs(lfs)
        case .repo(let git?, _): .git(git)
        case .repo(nil, _): preconditionFailure("git's name was to be found before")
        case .bucket(let oid): .xet(oid)
        }
    }
}
