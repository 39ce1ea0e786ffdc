/// How durations are sorted into buckets whose width grows with them, as HDR histograms do.
///
/// Each power of two of nanoseconds has sixteen buckets of equal width, and the first sixteen
/// nanoseconds have one each: what a bucket says of a duration is wrong by 1/16 at most. Durations of 18
/// minutes and more are all in the last one.
package enum DurationBuckets {
    private static let widthBits = 4
    private static let perOctave = 1 << widthBits
    /// Bits of the longest duration that is told apart: 2⁴⁰ ns are 18 minutes.
    private static let bits = 40

    package static let count = (bits - widthBits + 1) * perOctave

    /// The bucket of a duration.
    package static func index(nanoseconds: UInt64) -> Int {
        let value = min(nanoseconds, 1 << bits - 1)
        guard value >= perOctave else { return Int(value) }
        let octave = UInt64.bitWidth - 1 - value.leadingZeroBitCount
        let part = Int(truncatingIfNeeded: value >> UInt64(octave - widthBits)) & (perOctave - 1)
        return (octave - widthBits + 1) * perOctave + part
    }

    /// The durations of a bucket, nanoseconds.
    package static func nanoseconds(of index: Int) -> Range<UInt64> {
        precondition((0..<count).contains(index), "there is no bucket \(index)")
        guard index >= perOctave else { return UInt64(index)..<UInt64(index) + 1 }
        let shift = UInt64(index / perOctave - 1)
        let start = UInt64(perOctave + index % perOctave) << shift
        return start..<start + 1 << shift
    }

    /// The first bucket of durations of `1 << octave` nanoseconds and more.
    package static func firstIndex(ofOctave octave: Int) -> Int {
        index(nanoseconds: 1 << UInt64(octave))
    }
}
