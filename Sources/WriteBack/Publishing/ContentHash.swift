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
        /// In a repo, where the Hub decides which of the two is used.
        case repo(git: BlobOID, lfs: LFSOID)
        case bucket(XetOID)
    }

    private let names: Names

    private static let pieceByteCount = 1 << 20
    /// From here on the two hashes are found side by side: reading twice from the page cache costs
    /// a tenth of what one hash does.
    private static let threadedByteCountMin: UInt64 = 8 << 20

    /// Reads the first `size` bytes of `file`.
    init(of file: StagingFile, size: UInt64, in kind: RepoKind) throws(WriteBackError) {
        if kind == .bucket {
            var hasher = FileHasher()
            try Self.read(file, size) { hasher.update($0) }
            names = .bucket(XetOID(hex: hasher.finish().text)!)
            return
        }
        var sha256 = SHA256()
        var sha1 = Insecure.SHA1()
        sha1.update(data: Array("blob \(size)\0".utf8))
        if size < Self.threadedByteCountMin {
            try Self.read(file, size) { piece in
                sha256.update(bufferPointer: piece)
                sha1.update(bufferPointer: piece)
            }
        } else {
            let other = Monitor<Result<Insecure.SHA1, WriteBackError>>(.success(sha1))
            let thread = Thread(name: "hubfs-hash") { [sha1] in
                other.update { $0 = Self.adding(file, size, to: sha1) }
            }
            let mine = Self.adding(file, size, to: sha256)
            thread.join()
            sha256 = try mine.get()
            sha1 = try other.update { $0 }.get()
        }
        names = .repo(
            git: BlobOID(bytes: Array(sha1.finalize()))!,
            lfs: LFSOID(bytes: Array(sha256.finalize()))!)
    }

    private static func adding<Hash: HashFunction>(
        _ file: StagingFile, _ size: UInt64, to start: Hash
    ) -> Result<Hash, WriteBackError> {
        Result { () throws(WriteBackError) in
            var hash = start
            try read(file, size) { hash.update(bufferPointer: $0) }
            return hash
        }
    }

    private static func read(
        _ file: StagingFile, _ size: UInt64, _ visit: (UnsafeRawBufferPointer) -> Void
    ) throws(WriteBackError) {
        // An empty file may have no staging file of its own.
        if size == 0 { return }
        file.retain()
        defer { file.release() }
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Int(min(size, UInt64(pieceByteCount))), alignment: 4096)
        defer { buffer.deallocate() }
        var offset: UInt64 = 0
        while offset < size {
            let count = Int(min(UInt64(buffer.count), size - offset))
            let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
            let read = try file.use { (file) throws(Errno) in
                try file.readWhole(into: piece, at: offset)
            }
            guard read == count else { throw .disk(.ioError, path: file.path.string) }
            visit(UnsafeRawBufferPointer(piece))
            offset += UInt64(count)
        }
    }

    /// Whether `content` names these bytes.
    func isNamed(_ content: ContentID) -> Bool {
        content == self.content(.lfs) || content == self.content(.regular)
    }

    /// The name that they have when they are sent in this way; in a bucket there is one.
    func content(_ mode: PreuploadVerdict.Mode?) -> ContentID {
        switch names {
        case .repo(let git, let lfs): mode == .lfs ? .lfs(lfs) : .git(git)
        case .bucket(let oid): .xet(oid)
        }
    }
}
