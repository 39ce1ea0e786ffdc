import Platform

/// Room for bytes on their way into a content: what is large is stored with fewer calls.
///
/// `@unchecked Sendable`: whoever took it from `PieceBuffers` has it alone.
final class PieceBuffer: @unchecked Sendable {
    /// Fits into a processor's own cache, with what is done to it.
    static let byteCount = 256 << 10

    let bytes = UnsafeMutableRawBufferPointer.allocate(
        byteCount: PieceBuffer.byteCount, alignment: 4096)
    /// How many of them, from the first, wait to be handed on.
    private(set) var count = 0

    deinit { bytes.deallocate() }

    /// Adds bytes that stand at a place of the content, and hands on what is full: up to multiples of
    /// `byteCount` in the content, so that no block lies in two pieces.
    ///
    /// - Parameters:
    ///   - position: Where the first of `added` stands; it follows what was added before.
    ///   - deliver: Called with bytes that are valid during the call; false ends it all.
    /// - Returns: false when `deliver` wants no more.
    func append(
        _ added: UnsafeRawBufferPointer, at position: UInt64,
        deliver: (UnsafeRawBufferPointer) -> Bool
    ) -> Bool {
        var rest = added
        var place = position
        while !rest.isEmpty {
            let room = Self.byteCount - Int(place % UInt64(Self.byteCount))
            let part = rest.prefix(room)
            if count == 0, part.count == room {
                // As long as a piece already: it is handed on where it lies.
                guard deliver(UnsafeRawBufferPointer(rebasing: part)) else { return false }
            } else {
                UnsafeMutableRawBufferPointer(rebasing: bytes[count...]).copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: part))
                count += part.count
                guard part.count < room || flush(deliver) else { return false }
            }
            place += UInt64(part.count)
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(part.count))
        }
        return true
    }

    /// Hands on what waits.
    ///
    /// - Returns: false when `deliver` wants no more.
    func flush(_ deliver: (UnsafeRawBufferPointer) -> Bool) -> Bool {
        guard count > 0 else { return true }
        defer { count = 0 }
        return deliver(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
    }
}

/// Keeps buffers between their uses: memory that is new for each is slow to come by.
final class PieceBuffers: Sendable {
    /// As many as transfers and copies are under way at once, more or less.
    private static let keptCountMax = 32

    private let free = Guarded<[PieceBuffer]>([])

    func take() -> PieceBuffer { free.withLock { $0.popLast() } ?? PieceBuffer() }

    /// - Parameter buffer: Nobody uses it any more, and nothing waits in it.
    func giveBack(_ buffer: PieceBuffer) {
        precondition(buffer.count == 0, "bytes wait in a buffer that is given back")
        free.withLock { if $0.count < Self.keptCountMax { $0.append(buffer) } }
    }
}
