import Platform
import SystemPackage

extension WorkingFile {
    /// Where a part of a file's bytes is.
    package enum Source: Sendable {
        case zeros
        /// In this file, at the same offset.
        case staged(StagingFile)
        /// At the Hub or in the cache, at the same offset.
        case base(BaseFile)
    }

    /// A part of a read, all of whose bytes are in one place.
    package struct Segment: Sendable {
        package let bytes: Range<UInt64>
        package let source: Source
    }

    /// The places of the bytes of a read, in order, without gaps, up to the end of the file.
    package func segments(offset: UInt64, count: Int) -> [Segment] {
        state.withLock { state in
            guard offset < state.size, count > 0 else { return [] }
            let end = min(state.size, offset + UInt64(count))
            return state.segments(of: offset..<end)
        }
    }

    /// The places of all bytes of a sealed layer over the base it was made on.
    static func segments(of sealed: SealedLayer, over base: BaseFile?) -> [Segment] {
        guard sealed.shape.size > 0 else { return [] }
        return State.segments(of: 0..<sealed.shape.size, in: sealed.shape, sealed.store) { bytes in
            State.segments(of: bytes, over: base)
        }
    }

    /// Whether a position lies in a hole, for SEEK_DATA and SEEK_HOLE: the first offset at or after
    /// `offset` that is data, or hole. nil beyond the last byte.
    package func seek(_ offset: UInt64, toHole: Bool) -> UInt64? {
        state.withLock { state in
            guard offset < state.size else { return nil }
            let found = state.segments(of: offset..<state.size).first { segment in
                if case .zeros = segment.source { return toHole }
                return !toHole
            }
            // The end of every file counts as a hole.
            return found?.bytes.lowerBound ?? (toHole ? state.size : nil)
        }
    }
}

extension WorkingFile.State {
    func segments(of bytes: Range<UInt64>) -> [WorkingFile.Segment] {
        guard let top else { return lowerSegments(of: bytes) }
        return Self.segments(of: bytes, in: top.shape, top.store) { lowerSegments(of: $0) }
    }

    /// What shows when the top layer is taken away.
    func lowerSegments(of bytes: Range<UInt64>) -> [WorkingFile.Segment] {
        guard let sealed else { return Self.segments(of: bytes, over: base) }
        return Self.segments(of: bytes, in: sealed.shape, sealed.store) { bytes in
            Self.segments(of: bytes, over: base)
        }
    }

    fileprivate static func segments(
        of bytes: Range<UInt64>, over base: BaseFile?
    ) -> [WorkingFile.Segment] {
        split(bytes, at: base?.size ?? 0) { below in
            [WorkingFile.Segment(bytes: below, source: .base(base!))]
        }
    }

    fileprivate static func segments(
        of bytes: Range<UInt64>, in shape: LayerShape, _ store: StagingFile,
        below: (Range<UInt64>) -> [WorkingFile.Segment]
    ) -> [WorkingFile.Segment] {
        shape.extents.pieces(of: bytes).flatMap { piece in
            switch piece.kind {
            case .dirty: [WorkingFile.Segment(bytes: piece.bytes, source: .staged(store))]
            case .zero: [WorkingFile.Segment(bytes: piece.bytes, source: .zeros)]
            case nil: split(piece.bytes, at: shape.lowerLimit, below)
            }
        }
    }

    /// The segments of the part of `bytes` before `limit`, then zeros.
    private static func split(
        _ bytes: Range<UInt64>, at limit: UInt64,
        _ below: (Range<UInt64>) -> [WorkingFile.Segment]
    ) -> [WorkingFile.Segment] {
        let limit = min(max(limit, bytes.lowerBound), bytes.upperBound)
        var segments = limit > bytes.lowerBound ? below(bytes.lowerBound..<limit) : []
        if limit < bytes.upperBound {
            segments.append(WorkingFile.Segment(bytes: limit..<bytes.upperBound, source: .zeros))
        }
        return segments
    }
}
