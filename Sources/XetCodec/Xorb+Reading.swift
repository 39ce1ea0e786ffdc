/// How a chunk lies in a xorb. Source: the Xet specification, xorb format.
package enum ChunkPacking: UInt8, Sendable {
    case stored = 0
    /// One LZ4 frame.
    case lz4 = 1
    /// One LZ4 frame of the bytes put together by their place in numbers of four.
    case groupedLZ4 = 2
}

/// What stands before a packed chunk in a xorb.
///
/// | offset | bytes | field |
/// | --- | --- | --- |
/// | 0 | 1 | version, 0 |
/// | 1 | 3 | length of the packed bytes |
/// | 4 | 1 | `ChunkPacking` |
/// | 5 | 3 | length of the chunk |
///
/// Numbers are little-endian. Source: the Xet specification, xorb format.
struct ChunkHead {
    static let byteCount = 8
    /// Longest bytes of a packed chunk that are taken.
    static let packedBytesMax = 2 * Chunker.byteCountMax

    let packing: ChunkPacking
    /// Bytes that follow the head.
    let packedCount: Int
    /// Bytes of the chunk when it is unpacked: at least 1, at most `Chunker.byteCountMax`.
    let chunkCount: Int

    /// - Parameter bytes: At least `byteCount`.
    init(_ bytes: UnsafeRawBufferPointer) throws(XetFormatError) {
        func number(at offset: Int) -> Int {
            Int(bytes[offset]) | Int(bytes[offset + 1]) << 8 | Int(bytes[offset + 2]) << 16
        }
        guard bytes[0] == 0, let packing = ChunkPacking(rawValue: bytes[4]) else {
            throw .unknownFormat
        }
        self.packing = packing
        packedCount = number(at: 1)
        chunkCount = number(at: 5)
        guard (1...Chunker.byteCountMax).contains(chunkCount),
            packedCount <= Self.packedBytesMax, packing != .stored || packedCount == chunkCount
        else { throw .contradiction("chunk of \(chunkCount) bytes in \(packedCount)") }
    }
}

/// Unpacks chunks one after the other. For one thread at a time.
final class ChunkUnpacker {
    private let frames = LZ4Frames()
    private let scratch = Scratch()

    /// - Parameters:
    ///   - packed: The bytes behind the chunk's head.
    ///   - buffer: Exactly as long as the chunk.
    func unpack(
        _ packed: UnsafeRawBufferPointer, _ packing: ChunkPacking,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(XetFormatError) {
        let isWhole: Bool
        switch packing {
        case .stored:
            buffer.copyMemory(from: packed)
            isWhole = true
        case .lz4: isWhole = frames.unpack(packed, into: buffer)
        case .groupedLZ4:
            let groups = scratch[buffer.count]
            isWhole = frames.unpack(packed, into: groups)
            ByteGroups.ungroup(UnsafeRawBufferPointer(groups), into: buffer)
        }
        guard isWhole else {
            throw .contradiction("a frame of other than \(buffer.count) bytes")
        }
    }
}

/// Goes through the chunks of a xorb, or of a part of one that begins with a chunk.
///
/// Takes any bytes: what is no chunk is an error, before any memory is used for it. Whether the bytes
/// of a chunk are the right ones, only its hash tells.
package struct XorbReader {
    /// Of a chunk's record, before its bytes.
    package static let headBytes = ChunkHead.byteCount
    private static let footer = Array("XETBLOB".utf8)

    private var rest: UnsafeRawBufferPointer
    private let unpacker = ChunkUnpacker()

    /// - Parameter bytes: Must stay where they are for as long as the reader is in use.
    package init(_ bytes: UnsafeRawBufferPointer) { rest = bytes }

    /// A chunk that was found.
    package struct Chunk {
        package let packing: ChunkPacking
        /// Bytes of the chunk when it is unpacked: at least 1, at most `Chunker.byteCountMax`.
        package let byteCount: Int
        /// As they lie in the xorb.
        package let bytes: UnsafeRawBufferPointer
    }

    /// The next chunk; nil at the end, or where the footer begins that some xorbs have.
    package mutating func next() throws(XetFormatError) -> Chunk? {
        if rest.isEmpty || rest.starts(with: Self.footer) { return nil }
        guard rest.count >= ChunkHead.byteCount else { throw .cut }
        let head = try ChunkHead(rest)
        guard rest.count - ChunkHead.byteCount >= head.packedCount else { throw .cut }
        let end = ChunkHead.byteCount + head.packedCount
        let bytes = UnsafeRawBufferPointer(rebasing: rest[ChunkHead.byteCount..<end])
        rest = UnsafeRawBufferPointer(rebasing: rest[end...])
        return Chunk(packing: head.packing, byteCount: head.chunkCount, bytes: bytes)
    }

    /// Unpacks a chunk.
    ///
    /// - Parameter buffer: Exactly as long as the chunk.
    package func unpack(
        _ chunk: Chunk, into buffer: UnsafeMutableRawBufferPointer
    ) throws(XetFormatError) {
        precondition(buffer.count == chunk.byteCount, "a buffer for the whole chunk")
        try unpacker.unpack(chunk.bytes, chunk.packing, into: buffer)
    }
}

/// Room for one chunk.
final class Scratch {
    private let memory = UnsafeMutableRawBufferPointer.allocate(
        byteCount: Chunker.byteCountMax, alignment: 64)

    deinit { memory.deallocate() }

    /// The first bytes of it.
    subscript(count: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: memory[..<count])
    }
}
