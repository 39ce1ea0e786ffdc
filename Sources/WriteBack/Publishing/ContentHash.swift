import Crypto
import HubClient
import Platform
import SystemPackage

/// The names the bytes of one file can have at the Hub, found in one pass.
struct ContentHash: Hashable, Sendable {
    /// As an LFS object.
    let lfs: LFSOID
    /// As a git blob.
    let git: BlobOID

    private static let pieceBytes = 1 << 20

    /// Reads the first `size` bytes of `file`.
    init(of file: StagingFile, size: UInt64) throws(WriteBackError) {
        var sha256 = SHA256()
        var sha1 = Insecure.SHA1()
        sha1.update(data: Array("blob \(size)\0".utf8))
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Self.pieceBytes, alignment: 4096)
        defer { buffer.deallocate() }
        var offset: UInt64 = 0
        while offset < size {
            let count = Int(min(UInt64(buffer.count), size - offset))
            let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
            let read = try file.use { (file) throws(Errno) in
                try file.readWhole(into: piece, at: offset)
            }
            guard read == count else { throw .disk(.ioError, path: file.path.string) }
            sha256.update(bufferPointer: UnsafeRawBufferPointer(piece))
            sha1.update(bufferPointer: UnsafeRawBufferPointer(piece))
            offset += UInt64(count)
        }
        lfs = LFSOID(bytes: Array(sha256.finalize()))!
        git = BlobOID(bytes: Array(sha1.finalize()))!
    }

    /// Whether `content` names these bytes.
    func isNamed(_ content: ContentID) -> Bool {
        switch content {
        case .git(let oid): oid == git
        case .lfs(let oid): oid == lfs
        }
    }
}
