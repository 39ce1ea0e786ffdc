/// How far the small files of a directory are fetched ahead of a program that reads them in order.
///
/// A small file costs two round trips and next to no bandwidth, so the window is counted in files:
/// it doubles with each file the program takes, and past `trustedCount` it is never more than twice
/// what the program has read. Whoever looks at three files of ten thousand has a few more fetched.
struct SiblingPolicy: Sendable {
    /// Larger files are streams of their own: skipped, and no sign that an order has ended.
    var fileBytesMax: UInt64 = 1 << 20
    /// Window of a run that has just been found.
    var windowCountMin = 8
    /// Window that doubling reaches, whatever was read: about as many as there are connections.
    var trustedCount = 64
    var windowCountMax = 128
    /// Bytes fetched ahead of one run and not yet opened.
    var windowBytesMax: UInt64 = 16 << 20
    /// Small files that a program may leave out between two it reads.
    var gapMax = 3
    /// Files in a row found to be here already, after which nothing more is looked for.
    var presentCountMax = 32

    /// Files to have here, or on their way, beyond the last one opened.
    ///
    /// - Parameter openedCount: Files the run has opened so far.
    func windowCount(openedCount: Int) -> Int {
        guard openedCount >= 2 else { return windowCountMin }
        let doubled = windowCountMin << min(openedCount - 2, 16)
        return min(doubled, max(trustedCount, 2 * openedCount), windowCountMax)
    }
}
