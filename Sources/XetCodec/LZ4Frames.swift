import CLZ4

/// Packs and unpacks LZ4 frames of up to a chunk. For one thread at a time.
///
/// Source: lz4frame.h of liblz4; the LZ4 frame format.
final class LZ4Frames {
    /// Blocks of this size for what fits into one, else of `.max256`. As the official program has it.
    private static let smallBlockBytes = 64 << 10

    private var context: OpaquePointer?

    init() {
        let status = LZ4F_createDecompressionContext(&context, UInt32(LZ4F_VERSION))
        precondition(LZ4F_isError(status) == 0, "no memory for an LZ4 context")
    }

    deinit { LZ4F_freeDecompressionContext(context) }

    /// Packs bytes into a frame of independent blocks.
    ///
    /// - Returns: how long the frame is; nil when it has no room in `buffer`, as what does not get
    ///   shorter has none in one of its own length.
    func pack(_ bytes: UnsafeRawBufferPointer, into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        var preferences = LZ4F_preferences_t()
        preferences.frameInfo.blockMode = LZ4F_blockIndependent
        preferences.frameInfo.blockSizeID =
            bytes.count <= Self.smallBlockBytes ? LZ4F_max64KB : LZ4F_max256KB
        // The library wants room for the worst case.
        let bound = LZ4F_compressFrameBound(bytes.count, &preferences)
        return withUnsafeTemporaryAllocation(byteCount: bound, alignment: 16) { frame in
            let count = LZ4F_compressFrame(
                frame.baseAddress, bound, bytes.baseAddress, bytes.count, &preferences)
            precondition(LZ4F_isError(count) == 0, "a frame with room for the worst case")
            guard count <= buffer.count else { return nil }
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: frame[..<count]))
            return count
        }
    }

    /// Unpacks one whole frame.
    ///
    /// - Returns: false unless it fills the buffer exactly and ends where `frame` ends.
    func unpack(
        _ frame: UnsafeRawBufferPointer, into buffer: UnsafeMutableRawBufferPointer
    ) -> Bool {
        LZ4F_resetDecompressionContext(context)
        var (read, written) = (0, 0)
        while true {
            var (readCount, writtenCount) = (frame.count - read, buffer.count - written)
            let status = LZ4F_decompress(
                context, buffer.baseAddress.map { $0 + written }, &writtenCount,
                frame.baseAddress.map { $0 + read }, &readCount, nil)
            if LZ4F_isError(status) != 0 { return false }
            read += readCount
            written += writtenCount
            if status == 0 { return read == frame.count && written == buffer.count }
            if readCount == 0, writtenCount == 0 { return false }
        }
    }
}
