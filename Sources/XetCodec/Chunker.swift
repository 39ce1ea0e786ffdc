import CXet

/// Finds where the chunks of a file end: by content, so that they end there again after a change
/// elsewhere. Source: the Xet specification, chunking.
///
/// A chunk ends behind the byte at which the gear hash of the last 64 bytes has 16 leading zeros, but
/// has `byteCountMin` bytes at least and `byteCountMax` at most. How the file is cut into buffers makes
/// no difference.
package struct Chunker: Sendable {
    /// Bytes of the shortest chunk, unless it is the last of its file.
    package static let byteCountMin = 8192
    /// Bytes of the longest chunk.
    package static let byteCountMax = 131_072

    /// Sixteen bits decide: a chunk of random bytes ends after 64 KiB on average.
    private static let mask: UInt64 = 0xFFFF_0000_0000_0000
    /// Bytes that are forgotten again before the hash first decides.
    private static let skippedCount = byteCountMin - 64 - 1

    private var hash: UInt64 = 0
    /// Bytes of the chunk so far.
    private var count = 0

    package init() {}

    /// Looks for the next end of a chunk.
    ///
    /// - Parameter bytes: Those of the file that follow the ones it was given before, up to the end
    ///   that it found.
    /// - Returns: how many of them belong to the chunk that ends; nil when it has no end in them: what is left
    ///   at the end of the file is its last chunk.
    package mutating func findEnd(in bytes: UnsafeRawBufferPointer) -> Int? {
        let gear = hubfs_xet_gear()
        var place = min(max(Self.skippedCount - count, 0), bytes.count)
        let firstCheck = min(max(Self.byteCountMin - 1 - count, 0), bytes.count)
        let end = min(Self.byteCountMax - count, bytes.count)
        var hash = hash
        while place < firstCheck {
            hash = hash << 1 &+ gear[Int(bytes[place])]
            place += 1
        }
        while place < end {
            hash = hash << 1 &+ gear[Int(bytes[place])]
            place += 1
            if hash & Self.mask == 0 { return finish(place) }
        }
        if count + place == Self.byteCountMax { return finish(place) }
        count += bytes.count
        self.hash = hash
        return nil
    }

    private mutating func finish(_ length: Int) -> Int {
        self = Chunker()
        return length
    }
}
