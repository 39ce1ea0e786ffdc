/// How far a stream is read ahead, as a function of how much of it was read.
///
/// The first `quietBytes` of a stream get a small window: a loader that reads one tensor of a file
/// must not fetch much more than that tensor.
/// After that the window is as large as what was read, so that it doubles with each round trip;
/// what a stream that ends early has fetched in vain is never more than what it used.
///
/// Each round trip with a small window is one in which the link is nearly idle: at 50 ms a second
/// of them passes before such a stream has its largest window. So a stream from the start of a
/// file, which most read to its end, is quiet for `headQuietBytes` alone, and is then read ahead by
/// four times of what was read. Reads that the kernel makes are of 128 KiB (decision 0006), so that is
/// after a few of them; O_DIRECT makes larger ones, of which the first may be enough.
package struct ReadaheadPolicy: Sendable {
    /// Window of a young stream.
    package var startBytes: UInt64 = 256 << 10
    /// Bytes a stream reads before its window grows.
    package var quietBytes: UInt64 = 4 << 20
    /// The same for a stream that began with the file: more than a look at a header takes.
    package var headQuietBytes: UInt64 = 512 << 10
    /// How much larger than what was read the window of such a stream is.
    package var headGrowth: UInt64 = 4
    /// Largest window of one stream. More than all connections have under way at once: those that
    /// are done ask for what lies behind the slowest one's range meanwhile.
    package var windowBytesMax: UInt64 = 128 << 20
    /// Smallest and largest range of one request.
    package var chunkBytesMin: UInt64 = 128 << 10
    package var chunkBytesMax: UInt64 = 4 << 20
    /// Bytes fetched when a reader begins a tensor, or another part of a file that tells of its parts
    /// (`PartLayout`): it wants all of it, as loaders do, and is not
    /// believed to want more of a larger one before it has read that far.
    package var partBytesMax: UInt64 = 16 << 20
    /// Bytes fetched when a reader begins a file that has its layout in a header: one of them is as long
    /// as some hundred tensors' names.
    package var headerBytes: UInt64 = 256 << 10
    /// Adjoining reads that make a stream of a series of reads.
    package var readCountMin = 2

    package init() {}

    /// Bytes to have fetched or asked for beyond the reader's position.
    ///
    /// - Parameters:
    ///   - consumedBytes: What the stream has read so far.
    ///   - readCount: In so many reads.
    ///   - isFromHead: It began at the start of the file.
    /// - Returns: nil while this is no stream yet.
    package func windowBytes(
        consumedBytes: UInt64, readCount: Int, isFromHead: Bool
    ) -> UInt64? {
        let isLarge = consumedBytes > (isFromHead ? headQuietBytes : quietBytes)
        if readCount < readCountMin {
            return isFromHead && isLarge ? min(consumedBytes, windowBytesMax) : nil
        }
        guard isLarge else { return min(startBytes, windowBytesMax) }
        return min(consumedBytes * (isFromHead ? headGrowth : 1), windowBytesMax)
    }

    /// Bytes of one request of a stream with this window: a quarter, so that several are under
    /// way and the window moves smoothly.
    package func chunkBytes(windowBytes: UInt64) -> UInt64 {
        part(windowBytes / 4)
    }

    /// Bytes of one request of a part that is fetched at once: an eighth, so that several
    /// connections bring it.
    func chunkBytes(partBytes: UInt64) -> UInt64 {
        part(partBytes / 8)
    }

    private func part(_ bytes: UInt64) -> UInt64 {
        let whole = bytes / chunkBytesMin * chunkBytesMin
        return max(chunkBytesMin, min(whole, chunkBytesMax))
    }
}
