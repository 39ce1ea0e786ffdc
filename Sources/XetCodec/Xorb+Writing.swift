/// Packs chunks into a xorb, for an upload: without a footer.
///
/// Source: the Xet specification, xorb format and limits.
package struct XorbWriter {
    /// Longest xorb that is taken, and most bytes that it may have unpacked.
    package static let byteCountMax = 64 << 20
    /// Most chunks of one.
    package static let chunkCountMax = 8192
    /// Chunks after which it is looked again how they pack best.
    private static let probeInterval = 32

    /// The xorb so far.
    package private(set) var bytes: [UInt8] = []
    /// Its chunks in their order.
    package private(set) var chunks: [MerkleNode] = []
    /// Bytes of the chunks, unpacked.
    package private(set) var unpackedByteCount = 0
    private var isGrouped = false
    private var sinceProbe = Self.probeInterval
    private let frames = LZ4Frames()
    private let groups = Scratch()
    private let packed = Scratch()

    /// - Parameter count: Bytes that it will have, where that is known: it does not move while it grows then.
    package init(reserving count: Int = 0) { bytes.reserveCapacity(count) }

    /// The name of the xorb with the chunks it has now.
    package var hash: XetHash { MerkleTree.root(chunks) }

    /// The next chunk is the first of another file, which may be of another kind.
    package mutating func beginFile() { sinceProbe = Self.probeInterval }

    /// Packs a chunk behind the others.
    ///
    /// - Parameters:
    ///   - chunk: Its bytes: at least 1, at most `Chunker.byteCountMax`.
    ///   - hash: `XetHash.init(ofChunk:)` of them.
    /// - Returns: false when the xorb has no room for it; nothing has changed then.
    package mutating func append(_ chunk: UnsafeRawBufferPointer, hash: XetHash) -> Bool {
        precondition((1...Chunker.byteCountMax).contains(chunk.count), "chunks have their bounds")
        let worst = ChunkHead.byteCount + chunk.count
        guard chunks.count < Self.chunkCountMax,
            unpackedByteCount + chunk.count <= Self.byteCountMax,
            bytes.count + worst <= Self.byteCountMax
        else { return false }
        if sinceProbe >= Self.probeInterval {
            isGrouped = ByteGroups.isWorthwhile(chunk)
            sinceProbe = 0
        }
        sinceProbe += 1
        pack(chunk)
        chunks.append(MerkleNode(hash, byteCount: UInt64(chunk.count)))
        unpackedByteCount += chunk.count
        return true
    }

    private mutating func pack(_ chunk: UnsafeRawBufferPointer) {
        var source = chunk
        if isGrouped {
            ByteGroups.group(chunk, into: groups[chunk.count])
            source = UnsafeRawBufferPointer(groups[chunk.count])
        }
        // What does not get shorter is stored as it is.
        let count = frames.pack(source, into: packed[chunk.count - 1])
        let packing: ChunkPacking = count == nil ? .stored : isGrouped ? .groupedLZ4 : .lz4
        bytes.append(0)
        appendNumber(count ?? chunk.count)
        bytes.append(packing.rawValue)
        appendNumber(chunk.count)
        if let count {
            bytes += UnsafeRawBufferPointer(packed[count])
        } else {
            bytes += chunk
        }
    }

    /// A number of three bytes.
    private mutating func appendNumber(_ value: Int) {
        for shift in [0, 8, 16] { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
    }
}
