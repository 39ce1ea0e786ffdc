import XetCodec

/// Chunks of one xorb as a content has them, one after the other.
///
/// Stored as 36 bytes for each: its length (little-endian, 4 bytes) and its hash.
struct ChunkRun: Hashable, Sendable {
    /// Chunks of one row at most: it has to fit into a transaction with room to spare.
    static let countMax = 512
    private static let entryBytes = 4 + XetHash.byteCount

    let xorb: XetHash
    /// The first one's number in the xorb.
    let first: Int
    /// Digest of the content, and where it has the first one's first byte.
    let hex: String
    let start: UInt64
    let lengths: [UInt32]
    let hashes: [XetHash]

    var numbers: Range<Int> { first..<first + lengths.count }

    /// The stored form of the chunks.
    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.entryBytes * lengths.count)
        for (length, hash) in zip(lengths, hashes) {
            withUnsafeBytes(of: length.littleEndian) { bytes += $0 }
            bytes += hash.bytes
        }
        return bytes
    }

    init(
        xorb: XetHash, first: Int, hex: String, start: UInt64, chunks: some Sequence<MerkleNode>
    ) {
        self.xorb = xorb
        self.first = first
        self.hex = hex
        self.start = start
        lengths = chunks.map { UInt32($0.byteCount) }
        hashes = chunks.map(\.hash)
    }

    /// Reads a row.
    ///
    /// - Returns: nil when the stored form cannot be.
    init?(xorb: XetHash, first: Int, hex: String, start: UInt64, bytes: [UInt8]) {
        guard !bytes.isEmpty, bytes.count % Self.entryBytes == 0, first >= 0 else { return nil }
        self.xorb = xorb
        self.first = first
        self.hex = hex
        self.start = start
        var lengths: [UInt32] = []
        var hashes: [XetHash] = []
        bytes.withUnsafeBytes { bytes in
            for place in stride(from: 0, to: bytes.count, by: Self.entryBytes) {
                lengths.append(
                    UInt32(
                        littleEndian: bytes.loadUnaligned(
                            fromByteOffset: place, as: UInt32.self)))
                hashes.append(
                    XetHash(
                        bytes: UnsafeRawBufferPointer(
                            rebasing: bytes[place + 4..<place + Self.entryBytes])))
            }
        }
        guard lengths.allSatisfy({ 1...UInt32(Chunker.byteCountMax) ~= $0 }) else { return nil }
        self.lengths = lengths
        self.hashes = hashes
    }

    /// Bytes of some of its chunks.
    func byteCount(of numbers: Range<Int>) -> UInt64 {
        lengths[numbers.lowerBound - first..<numbers.upperBound - first]
            .reduce(0) { $0 + UInt64($1) }
    }
}
