package import XetCodec

/// Chunks of a file that another content of the cache has, one after the other in both.
package struct SharedChunks: Sendable {
    /// Where they begin in the file.
    package let start: UInt64
    /// Which content has them, as its owner names it, and where they begin there.
    package let source: String
    package let sourceStart: UInt64
    /// Where each of them ends, from the first one's begin.
    package let ends: [UInt32]
    /// What proves that they are the right ones; as many as `ends`.
    package let hashes: [XetHash]

    package init(
        start: UInt64, source: String, sourceStart: UInt64, ends: [UInt32], hashes: [XetHash]
    ) {
        precondition(!ends.isEmpty && ends.count == hashes.count, "chunks with an end and a hash")
        self.start = start
        self.source = source
        self.sourceStart = sourceStart
        self.ends = ends
        self.hashes = hashes
    }

    /// The bytes of the file that they are.
    package var bytes: Range<UInt64> { start..<start + UInt64(ends[ends.count - 1]) }

    /// Bytes of one of them, from the first one's begin.
    package func bytes(ofChunk index: Int) -> Range<UInt32> {
        (index == 0 ? 0 : ends[index - 1])..<ends[index]
    }

    /// The chunk that holds a byte of the file.
    package func chunk(at offset: UInt64) -> Int {
        let place = UInt32(offset - start)
        var (low, high) = (0, ends.count - 1)
        while low < high {
            let middle = (low + high) / 2
            if ends[middle] > place { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

/// Who knows which chunks the contents of a cache have.
package protocol ChunkKeeper: AnyObject, Sendable {
    /// Whether no chunk is known: then nobody waits for an answer.
    var isEmpty: Bool { get }

    /// What of a file other contents have. May block on the local disk.
    ///
    /// - Returns: runs that do not overlap, ascending.
    func shared(_ terms: [XetTerm], of location: ContentLocation) -> [SharedChunks]

    /// Opens a content as `SharedChunks` names it. May block on the local disk.
    ///
    /// - Returns: nil when it is not there.
    func open(_ source: String) -> (any ChunkSource)?
}

/// A content that chunks are copied from; closed when nobody has it any more.
package protocol ChunkSource: AnyObject, Sendable {
    /// Says what will be read soon.
    func expect(_ range: Range<UInt64>)

    /// Reads. May block on the local disk.
    ///
    /// - Returns: false when the buffer could not be filled. Whether the bytes are the right ones, the
    ///   caller sees by the hashes.
    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> Bool
}
