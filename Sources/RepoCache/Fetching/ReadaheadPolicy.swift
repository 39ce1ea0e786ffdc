/// How far a stream is read ahead, as a function of how much of it was read.
///
/// The first `quietBytes` of a stream get a small window: a loader that reads one tensor of a file
/// must not fetch much more than that tensor, and the kernel reads ahead by up to 1 MiB itself.
/// After that the window grows by each byte read, which doubles it again and again; what a stream
/// that ends early has fetched in vain is always less than what it used.
package struct ReadaheadPolicy: Sendable {
    /// Window of a young stream.
    package var startBytes: UInt64 = 256 << 10
    /// Bytes a stream reads before its window grows.
    package var quietBytes: UInt64 = 4 << 20
    /// Largest window of one stream.
    package var windowBytesMax: UInt64 = 64 << 20
    /// Smallest and largest range of one request.
    package var chunkBytesMin: UInt64 = 128 << 10
    package var chunkBytesMax: UInt64 = 4 << 20
    /// Bytes fetched when a reader begins a tensor: it wants all of it, as loaders do, and is not
    /// believed to want more of a larger one before it has read that far.
    package var tensorBytesMax: UInt64 = 16 << 20
    /// Adjoining reads that make a stream of a series of reads.
    package var readCountMin = 2

    package init() {}

    /// Bytes to have fetched or asked for beyond the reader's position.
    ///
    /// - Parameter consumedBytes: What the stream has read so far.
    package func windowBytes(consumedBytes: UInt64) -> UInt64 {
        guard consumedBytes > quietBytes else { return min(startBytes, windowBytesMax) }
        return min(startBytes + (consumedBytes - quietBytes), windowBytesMax)
    }

    /// Bytes of one request of a stream with this window: a quarter, so that several are under
    /// way and the window moves smoothly.
    package func chunkBytes(windowBytes: UInt64) -> UInt64 {
        part(windowBytes / 4)
    }

    /// Bytes of one request of a tensor that is fetched at once: an eighth, so that several
    /// connections bring it.
    func chunkBytes(tensorBytes: UInt64) -> UInt64 {
        part(tensorBytes / 8)
    }

    private func part(_ bytes: UInt64) -> UInt64 {
        let whole = bytes / BlockGeometry.blockBytes * BlockGeometry.blockBytes
        return max(chunkBytesMin, min(whole, chunkBytesMax))
    }
}
