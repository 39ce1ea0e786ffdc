/// Unpacks the chunks of a part of a xorb while its bytes arrive, however they are cut.
///
/// Keeps the chunk that has begun and nothing else: at most `ChunkHead.packedBytesMax` bytes, and as
/// little as was received of it. Takes any bytes, as `XorbReader` does. For one thread at a time.
package struct XorbStream: ~Copyable {
    /// Where chunks are unpacked. Made once and used by many streams in turn.
    package final class Room {
        fileprivate let unpacker = ChunkUnpacker()
        fileprivate let chunk = Scratch()

        package init() {}
    }

    /// The record that has begun, when it does not lie in one piece.
    private var begun: [UInt8] = []

    package init() {}

    /// Whether the bytes so far end with a chunk.
    package var isAtEndOfChunk: Bool { begun.isEmpty }

    /// Takes the next bytes and hands on the chunks that they complete.
    ///
    /// - Parameters:
    ///   - room: Of the calling thread's alone during the call.
    ///   - take: Called with each chunk, whose bytes are valid during the call; false ends the stream.
    /// - Returns: false when `take` wants no more.
    package mutating func append(
        _ bytes: UnsafeRawBufferPointer, in room: Room,
        take: (UnsafeRawBufferPointer) throws(XetFormatError) -> Bool
    ) throws(XetFormatError) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            guard begun.isEmpty else {
                guard try complete(from: &rest) else { return true }
                // Taken out, so that its memory stays in use: a copy would have each record get its own.
                var record: [UInt8] = []
                swap(&record, &begun)
                let goesOn = try withBytes(of: record) { bytes throws(XetFormatError) in
                    try Self.unpack(bytes, try ChunkHead(bytes), in: room, take)
                }
                record.removeAll(keepingCapacity: true)
                swap(&record, &begun)
                guard goesOn else { return false }
                continue
            }
            guard rest.count >= ChunkHead.byteCount else {
                begun += rest
                return true
            }
            let head = try ChunkHead(rest)
            let count = ChunkHead.byteCount + head.packedCount
            guard rest.count >= count else {
                begun.reserveCapacity(count)
                begun += rest
                return true
            }
            let record = UnsafeRawBufferPointer(rebasing: rest[..<count])
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            guard try Self.unpack(record, head, in: room, take) else { return false }
        }
        return true
    }

    /// Adds to the record that has begun what it lacks.
    ///
    /// - Returns: whether it is whole.
    private mutating func complete(
        from rest: inout UnsafeRawBufferPointer
    ) throws(XetFormatError) -> Bool {
        take(upTo: ChunkHead.byteCount, from: &rest)
        guard begun.count >= ChunkHead.byteCount else { return false }
        let head = try withBytes(of: begun) { bytes throws(XetFormatError) in
            try ChunkHead(bytes)
        }
        let count = ChunkHead.byteCount + head.packedCount
        begun.reserveCapacity(count)
        take(upTo: count, from: &rest)
        return begun.count == count
    }

    private mutating func take(upTo count: Int, from rest: inout UnsafeRawBufferPointer) {
        let part = rest.prefix(max(0, count - begun.count))
        begun += part
        rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(part.count))
    }

    private static func unpack(
        _ record: UnsafeRawBufferPointer, _ head: ChunkHead, in room: Room,
        _ take: (UnsafeRawBufferPointer) throws(XetFormatError) -> Bool
    ) throws(XetFormatError) -> Bool {
        let packed = UnsafeRawBufferPointer(rebasing: record[ChunkHead.byteCount...])
        // A stored chunk is used where it lies.
        if head.packing == .stored { return try take(packed) }
        let chunk = room.chunk[head.chunkCount]
        try room.unpacker.unpack(packed, head.packing, into: chunk)
        return try take(UnsafeRawBufferPointer(chunk))
    }
}

/// `withUnsafeBytes` with the error's type.
private func withBytes<Value>(
    of bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws(XetFormatError) -> Value
) throws(XetFormatError) -> Value {
    let result = bytes.withUnsafeBytes { bytes in
        Result { () throws(XetFormatError) in try body(bytes) }
    }
    return try result.get()
}
