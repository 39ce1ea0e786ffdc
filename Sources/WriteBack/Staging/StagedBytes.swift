import Platform
import SystemPackage

/// The bytes of a file as a commit takes them: those of a staging file and, of a large file that was edited in a few
/// places, those of its base around them.
///
/// What reads all bytes and sends few, as a commit by chunks does, needs no copy of the base.
struct StagedBytes: Sendable {
    /// Where the rest is, and who can bring it.
    private final class Rest: Sendable {
        let sealed: SealedLayer
        let base: BaseFile?
        let source: any BaseSource
        /// All of the file, in order.
        let segments: [WorkingFile.Segment]
        private let isBusy = Monitor(false)

        init(_ sealed: SealedLayer, over base: BaseFile?, from source: any BaseSource) {
            (self.sealed, self.base, self.source) = (sealed, base, source)
            segments = WorkingFile.segments(of: sealed, over: base)
        }

        /// Runs what copies bytes into the staging file.
        func alone(_ body: () throws(PublishError) -> Void) throws(PublishError) {
            _ = isBusy.wait { isBusy -> Bool? in
                if isBusy { return nil }
                isBusy = true
                return true
            }
            defer { isBusy.update { $0 = false } }
            try body()
        }

        /// The index of the segment that has a byte of the file.
        func index(of offset: UInt64) -> Int {
            var (low, high) = (0, segments.count)
            while low < high {
                let middle = (low + high) / 2
                if segments[middle].bytes.upperBound > offset {
                    high = middle
                } else {
                    low = middle + 1
                }
            }
            return low
        }
    }

    let store: StagingFile
    /// Bytes.
    let size: UInt64
    private let rest: Rest?

    /// Bytes that are all in `store`, from its start.
    init(_ store: StagingFile, size: UInt64) {
        self.store = store
        self.size = size
        rest = nil
    }

    /// Bytes that may be elsewhere.
    ///
    /// - Parameters:
    ///   - sealed: Pinned for as long as this is used.
    ///   - base: What it was edited on.
    init(_ sealed: SealedLayer, over base: BaseFile?, from source: any BaseSource) {
        store = sealed.store
        size = sealed.shape.size
        rest = sealed.isWhole ? nil : Rest(sealed, over: base, from: source)
    }

    /// Whether all bytes are in the staging file.
    var isWhole: Bool { rest == nil }

    /// What has bytes that the staging file does not have; nil for nothing.
    var base: BaseFile? {
        guard let rest else { return nil }
        return rest.segments.contains(where: \.isOfBase) ? rest.base : nil
    }

    /// Where bytes come from, in order: those of the base at the places they have there, and all others.
    func forEachRange(_ visit: (_ bytes: Range<UInt64>, _ isBase: Bool) -> Void) {
        guard let rest else { return visit(0..<size, false) }
        for segment in rest.segments { visit(segment.bytes, segment.isOfBase) }
    }

    /// Fills `buffer` from `offset` on, all within the file.
    func read(
        into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
    ) throws(PublishError) {
        guard let rest else { return try readStore(into: buffer, at: offset) }
        var filled = 0
        var index = rest.index(of: offset)
        while filled < buffer.count {
            let segment = rest.segments[index]
            let start = offset + UInt64(filled)
            let count = min(buffer.count - filled, Int(segment.bytes.upperBound - start))
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[filled..<filled + count])
            switch segment.source {
            case .zeros: _ = part.initializeMemory(as: UInt8.self, repeating: 0)
            case .staged: try readStore(into: part, at: start)
            case .base(let base): try rest.source.read(base, at: start, into: part)
            }
            filled += count
            index += 1
        }
    }

    private func readStore(
        into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
    ) throws(PublishError) {
        // An empty file may have no staging file of its own.
        if buffer.isEmpty { return }
        do throws(WriteBackError) {
            let read = try store.use { (file) throws(Errno) in
                try file.readWhole(into: buffer, at: offset)
            }
            guard read == buffer.count else { throw .disk(.ioError, path: store.path.string) }
        } catch {
            throw .workspace(error)
        }
    }

    /// Some of the bytes, for small texts.
    func bytes(_ range: Range<UInt64>) throws(PublishError) -> [UInt8] {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: range.count, alignment: 1)
        defer { buffer.deallocate() }
        try read(into: buffer, at: range.lowerBound)
        return Array(buffer)
    }

    /// Brings the rest into the staging file, on disk and journalled, so that no later commit has to.
    func makeWhole() throws(PublishError) {
        guard let rest else { return }
        try rest.alone { () throws(PublishError) in
            try rest.sealed.file.makeWhole(rest.sealed, over: rest.base, from: rest.source)
        }
    }

    /// Brings the rest into the staging file, for the cache: nothing but that depends on it.
    ///
    /// - Parameter checkStop: Asked between pieces; throws to end it.
    func fill(checkStop: () throws(PublishError) -> Void) throws(PublishError) {
        guard let rest else { return }
        try rest.alone { () throws(PublishError) in
            try rest.sealed.file.fill(
                rest.sealed, over: rest.base, from: rest.source, checkStop: checkStop)
        }
    }
}

extension WorkingFile.Segment {
    fileprivate var isOfBase: Bool { if case .base = source { true } else { false } }
}

/// Reads pieces of a file that is being committed into memory of its own: for one thread.
final class PieceReader {
    static let byteCountMax = 1 << 20

    private let file: StagedBytes
    private let buffer: UnsafeMutableRawBufferPointer

    init(_ file: StagedBytes) {
        self.file = file
        buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Int(min(UInt64(Self.byteCountMax), file.size)), alignment: 4096)
        file.store.retain()
    }

    deinit {
        buffer.deallocate()
        file.store.release()
    }

    /// - Parameter count: At most `byteCountMax`, all within the file.
    /// - Returns: bytes that are good until the next call.
    func read(at offset: UInt64, count: Int) throws(PublishError) -> UnsafeRawBufferPointer {
        let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
        try file.read(into: piece, at: offset)
        return UnsafeRawBufferPointer(piece)
    }

    /// Reads all from the start to the end of the file.
    func forEachPiece(_ visit: (UnsafeRawBufferPointer) -> Void) throws(PublishError) {
        try forEachPiece(of: 0..<file.size, visit)
    }

    func forEachPiece(
        of bytes: Range<UInt64>, _ visit: (UnsafeRawBufferPointer) -> Void
    ) throws(PublishError) {
        var offset = bytes.lowerBound
        while offset < bytes.upperBound {
            let count = Int(min(UInt64(Self.byteCountMax), bytes.upperBound - offset))
            visit(try read(at: offset, count: count))
            offset += UInt64(count)
        }
    }
}
