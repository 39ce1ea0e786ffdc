/// How a chunk lies in a xorb. Source: the Xet specification, xorb format.
package enum ChunkPacking: UInt8, Sendable {
    case stored = 0
    /// One LZ4 frame.
    case lz4 = 1
    /// One LZ4 frame of the bytes put together by their place in numbers of four.
    case groupedLZ4 = 2
}

/// Goes through the chunks of a xorb, or of a part of one that begins with a chunk.
///
/// Takes any bytes: what is no chunk is an error, before any memory is used for it. Whether the bytes
/// of a chunk are the right ones, only its hash tells.
package struct XorbReader {
    /// Of a chunk's record, before its bytes.
    package static let headBytes = 8
    /// Longest bytes of a packed chunk that are taken.
    private static let packedBytesMax = 2 * Chunker.byteCountMax
    private static let footer = Array("XETBLOB".utf8)

    private var rest: UnsafeRawBufferPointer
    private let frames = LZ4Frames()
    private let scratch = Scratch()

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
        guard rest.count >= Self.headBytes else { throw .cut }
        guard rest[0] == 0, let packing = ChunkPacking(rawValue: rest[4]) else {
            throw .unknownFormat
        }
        let (packedCount, byteCount) = (number(at: 1), number(at: 5))
        guard (1...Chunker.byteCountMax).contains(byteCount),
            packedCount <= Self.packedBytesMax, packing != .stored || packedCount == byteCount
        else { throw .contradiction("chunk of \(byteCount) bytes in \(packedCount)") }
        guard rest.count - Self.headBytes >= packedCount else { throw .cut }
        let end = Self.headBytes + packedCount
        let bytes = UnsafeRawBufferPointer(rebasing: rest[Self.headBytes..<end])
        rest = UnsafeRawBufferPointer(rebasing: rest[end...])
        return Chunk(packing: packing, byteCount: byteCount, bytes: bytes)
    }

    /// Unpacks a chunk.
    ///
    /// - Parameter buffer: Exactly as long as the chunk.
    package func unpack(
        _ chunk: Chunk, into buffer: UnsafeMutableRawBufferPointer
    ) throws(XetFormatError) {
        precondition(buffer.count == chunk.byteCount, "a buffer for the whole chunk")
        let isWhole: Bool
        switch chunk.packing {
        case .stored:
            buffer.copyMemory(from: chunk.bytes)
            isWhole = true
        case .lz4: isWhole = frames.unpack(chunk.bytes, into: buffer)
        case .groupedLZ4:
            let groups = scratch[chunk.byteCount]
            isWhole = frames.unpack(chunk.bytes, into: groups)
            ByteGroups.ungroup(UnsafeRawBufferPointer(groups), into: buffer)
        }
        guard isWhole else {
            throw .contradiction("a frame of other than \(chunk.byteCount) bytes")
        }
    }

    /// A number of three bytes.
    private func number(at offset: Int) -> Int {
        Int(rest[offset]) | Int(rest[offset + 1]) << 8 | Int(rest[offset + 2]) << 16
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
