/// Where the parts of a file lie, tensors of a model or columns of a table: places where a reader
/// starts, and may well stop.
///
/// A program that wants one of them reads it like any stream, and what is read ahead beyond its end is
/// fetched in vain. The file says itself where that is: see the conformers of `LayoutReader`.
struct PartLayout: Sendable, Equatable {
    /// Where the first part begins, from the start of the file.
    let dataStart: UInt64
    /// Ends of the parts, from the start of the file, ascending.
    let ends: [UInt64]

    /// - Parameter ends: In any order.
    init(dataStart: UInt64, ends: some Sequence<UInt64>) {
        self.dataStart = dataStart
        self.ends = ends.sorted()
    }

    /// The part that `offset` lies in; nil before the first and behind the last. Each is taken to begin
    /// where another ends: these formats have no gaps worth speaking of.
    func part(at offset: UInt64) -> Range<UInt64>? {
        guard offset >= dataStart else { return nil }
        let index = firstEnd(after: offset)
        guard index < ends.count else { return nil }
        return (index == 0 ? dataStart : ends[index - 1])..<ends[index]
    }

    /// The first end of a part beyond `offset`; nil behind the last.
    func end(after offset: UInt64) -> UInt64? {
        let index = firstEnd(after: offset)
        return index < ends.count ? ends[index] : nil
    }

    private func firstEnd(after offset: UInt64) -> Int {
        var low = 0
        var high = ends.count
        while low < high {
            let middle = (low + high) / 2
            if ends[middle] > offset { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
