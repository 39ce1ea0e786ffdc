import Crypto
import HubClient
import XetCodec

/// Computes the digest a content is named by, piece by piece.
struct ContentDigest {
    private enum Hash {
        case sha1(Insecure.SHA1)
        case sha256(SHA256)
        case xet(FileHasher)
    }

    private let content: ContentID
    private var hash: Hash

    /// - Parameter size: Bytes of the content; a git blob's digest begins with it.
    init(of content: ContentID, size: UInt64) {
        self.content = content
        switch content {
        case .git:
            var sha1 = Insecure.SHA1()
            Array("blob \(size)\0".utf8).withUnsafeBytes { sha1.update(bufferPointer: $0) }
            hash = .sha1(sha1)
        case .lfs:
            hash = .sha256(SHA256())
        case .xet:
            hash = .xet(FileHasher())
        }
    }

    /// Takes the next bytes of the content.
    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        switch hash {
        case .sha1(var sha1):
            sha1.update(bufferPointer: bytes)
            hash = .sha1(sha1)
        case .sha256(var sha256):
            sha256.update(bufferPointer: bytes)
            hash = .sha256(sha256)
        case .xet(var hasher):
            // Its chunks so far are not to be copied.
            hash = .sha256(SHA256())
            hasher.update(bytes)
            hash = .xet(hasher)
        }
    }

    /// Whether the bytes taken are those the content's name promises.
    var matches: Bool {
        switch (hash, content) {
        case (.sha1(let sha1), .git(let oid)): Array(sha1.finalize()) == oid.bytes
        case (.sha256(let sha256), .lfs(let oid)): Array(sha256.finalize()) == oid.bytes
        case (.xet(var hasher), .xet(let oid)): hasher.finish().text == oid.hex
        default: false
        }
    }

    /// Whether the bytes that `read` gives are those a content's name promises.
    ///
    /// - Parameter read: Fills the buffer from the offset; false ends it, as not matching.
    static func matches(
        _ content: ContentID, size: UInt64,
        read: (UnsafeMutableRawBufferPointer, UInt64) -> Bool
    ) -> Bool {
        let geometry = BlockGeometry(size: size)
        var digest = ContentDigest(of: content, size: size)
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Int(min(size, 1 << 20)), alignment: 16)
        defer { buffer.deallocate() }
        var offset: UInt64 = 0
        while offset < size {
            let range = geometry.clamped(offset: offset, count: buffer.count)
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<range.count])
            guard read(part, offset) else { return false }
            digest.update(UnsafeRawBufferPointer(part))
            offset = range.upperBound
        }
        return digest.matches
    }
}
