/// Which byte ranges of an edited file were written or zeroed since it was opened for editing.
///
/// What no extent covers shows the layer below. A value: decisions about ranges are made here,
/// files are read and written elsewhere.
///
/// Invariants: extents are sorted by offset, never empty, never overlap, and two that touch differ
/// in kind.
package struct ExtentMap: Hashable, Sendable {
    /// What an extent's bytes are.
    package enum Kind: UInt8, Sendable {
        /// In the staging file, at the same offset.
        case dirty = 0
        /// Zeros, whatever lies below: a hole that was punched or left by growing the file.
        case zero = 1
    }

    package struct Extent: Hashable, Sendable {
        package var bytes: Range<UInt64>
        package var kind: Kind

        package init(bytes: Range<UInt64>, kind: Kind) {
            self.bytes = bytes
            self.kind = kind
        }
    }

    /// What a change did to the extents, for the journal: first the removals, then the insertion.
    package struct Delta: Hashable, Sendable {
        /// Offsets at which an extent no longer starts.
        package var removedStarts: [UInt64] = []
        /// Extents that are new or whose end or kind changed.
        package var changed: [Extent] = []

        package init(removedStarts: [UInt64] = [], changed: [Extent] = []) {
            self.removedStarts = removedStarts
            self.changed = changed
        }
    }

    package private(set) var extents: [Extent] = []

    package init() {}

    /// Takes extents as the journal stored them.
    ///
    /// - Returns: nil when they break an invariant.
    package init?(stored extents: [Extent]) {
        for (index, extent) in extents.enumerated() {
            guard !extent.bytes.isEmpty else { return nil }
            if index > 0, extents[index - 1].bytes.upperBound > extent.bytes.lowerBound {
                return nil
            }
        }
        self.extents = extents
    }

    package var isEmpty: Bool { extents.isEmpty }

    /// Where the last extent ends, bytes.
    var end: UInt64 { extents.last?.bytes.upperBound ?? 0 }

    /// Bytes that lie in the staging file.
    package var dirtyBytes: UInt64 {
        extents.reduce(0) { $0 + ($1.kind == .dirty ? UInt64($1.bytes.count) : 0) }
    }

    /// Gives `bytes` a kind, over whatever was there.
    package mutating func set(_ bytes: Range<UInt64>, to kind: Kind) -> Delta {
        guard !bytes.isEmpty else { return Delta() }
        var merged = bytes
        var first = firstIndex(endingAtOrAfter: bytes.lowerBound)
        var last = first
        var kept: [Extent] = []
        var removed: [UInt64] = []
        while last < extents.count, extents[last].bytes.lowerBound <= bytes.upperBound {
            let extent = extents[last]
            if extent.kind == kind {
                merged =
                    min(
                        merged.lowerBound, extent.bytes.lowerBound)..<max(
                        merged.upperBound, extent.bytes.upperBound)
                removed.append(extent.bytes.lowerBound)
            } else if extent.bytes.upperBound == bytes.lowerBound {
                first += 1
            } else if extent.bytes.lowerBound == bytes.upperBound {
                break
            } else {
                kept += Self.remainders(of: extent, without: bytes)
                removed.append(extent.bytes.lowerBound)
            }
            last += 1
        }
        let inserted = (kept + [Extent(bytes: merged, kind: kind)]).sorted {
            $0.bytes.lowerBound < $1.bytes.lowerBound
        }
        extents.replaceSubrange(first..<max(first, last), with: inserted)
        let starts = Set(inserted.map(\.bytes.lowerBound))
        return Delta(removedStarts: removed.filter { !starts.contains($0) }, changed: inserted)
    }

    /// Takes away everything from `offset` on.
    package mutating func cut(at offset: UInt64) -> Delta {
        var delta = Delta()
        while let last = extents.last, last.bytes.upperBound > offset {
            extents.removeLast()
            if last.bytes.lowerBound < offset {
                let head = Extent(bytes: last.bytes.lowerBound..<offset, kind: last.kind)
                extents.append(head)
                delta.changed.append(head)
                break
            }
            delta.removedStarts.append(last.bytes.lowerBound)
        }
        return delta
    }

    /// A part of a range: in one extent, or between two (nil).
    package struct Piece: Hashable, Sendable {
        package var bytes: Range<UInt64>
        package var kind: Kind?

        package init(bytes: Range<UInt64>, kind: Kind?) {
            self.bytes = bytes
            self.kind = kind
        }
    }

    /// The pieces of `bytes`, in order and without gaps.
    package func pieces(of bytes: Range<UInt64>) -> [Piece] {
        var pieces: [Piece] = []
        var offset = bytes.lowerBound
        var index = firstIndex(endingAfter: offset)
        while offset < bytes.upperBound {
            guard index < extents.count, extents[index].bytes.lowerBound < bytes.upperBound else {
                pieces.append(Piece(bytes: offset..<bytes.upperBound, kind: nil))
                break
            }
            let extent = extents[index]
            if extent.bytes.lowerBound > offset {
                pieces.append(Piece(bytes: offset..<extent.bytes.lowerBound, kind: nil))
                offset = extent.bytes.lowerBound
            }
            let end = min(extent.bytes.upperBound, bytes.upperBound)
            pieces.append(Piece(bytes: offset..<end, kind: extent.kind))
            offset = end
            index += 1
        }
        return pieces
    }

    private static func remainders(of extent: Extent, without bytes: Range<UInt64>) -> [Extent] {
        var parts: [Extent] = []
        if extent.bytes.lowerBound < bytes.lowerBound {
            parts.append(
                Extent(bytes: extent.bytes.lowerBound..<bytes.lowerBound, kind: extent.kind))
        }
        if extent.bytes.upperBound > bytes.upperBound {
            parts.append(
                Extent(bytes: bytes.upperBound..<extent.bytes.upperBound, kind: extent.kind))
        }
        return parts
    }

    private func firstIndex(endingAtOrAfter offset: UInt64) -> Int {
        partition { $0.bytes.upperBound >= offset }
    }

    private func firstIndex(endingAfter offset: UInt64) -> Int {
        partition { $0.bytes.upperBound > offset }
    }

    /// The first index whose extent satisfies a test that holds for all later ones too.
    private func partition(_ test: (Extent) -> Bool) -> Int {
        var low = 0
        var high = extents.count
        while low < high {
            let middle = (low + high) / 2
            if test(extents[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
