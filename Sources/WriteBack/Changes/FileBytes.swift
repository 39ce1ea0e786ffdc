package import HubClient
import Platform

/// One side of a changed file: the base's bytes, or those the mount shows now.
package enum FileBytes: Sendable {
    case base(BaseFile)
    case working(WorkingFile)

    /// A file as it was frozen; one that nobody edited is its base.
    init(_ frozen: FrozenFile) {
        if !frozen.isEdited, let base = frozen.base {
            self = .base(base)
        } else {
            self = .working(frozen.file)
        }
    }

    /// Bytes, as of now.
    package var size: UInt64 {
        switch self {
        case .base(let file): file.size
        case .working(let file): file.size
        }
    }

    /// The identity at the Hub, where it is known without reading.
    package var content: ContentID? {
        switch self {
        case .base(let file): file.content
        case .working: nil
        }
    }

    /// What a commit sends of it: nothing of an object that the Hub has.
    var uploadBytes: UInt64 {
        content?.isSentByName == true ? 0 : size
    }

    /// What a commit reads of it from the Hub, unless the cache has it: to send a file again that git
    /// keeps, or the parts of a file around the edited ones.
    var neededBaseBytes: UInt64 {
        switch self {
        case .base(let file):
            file.content.isSentByName ? 0 : file.size
        case .working(let file):
            file.segments(offset: 0, count: Int(clamping: file.size)).reduce(0) { sum, segment in
                guard case .base = segment.source else { return sum }
                return sum + UInt64(segment.bytes.count)
            }
        }
    }

    private static let pieceBytes = 1 << 20
    /// Times that commits can end, one after the other, while one piece is read.
    private static let moveCountMax = 8

    /// Reads from the first byte to the last, a piece at a time. Waits for the network where the
    /// cache has not what the base has.
    ///
    /// - Throws: also what `body` throws.
    package func forEachPiece(
        _ source: any BaseSource, _ body: (UnsafeRawBufferPointer) throws(PublishError) -> Void
    ) throws(PublishError) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Self.pieceBytes, alignment: 4096)
        defer { buffer.deallocate() }
        let size = size
        var offset: UInt64 = 0
        while offset < size {
            let count = Int(min(UInt64(buffer.count), size - offset))
            let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
            let read = try fill(piece, at: offset, source)
            try body(UnsafeRawBufferPointer(rebasing: piece[..<read]))
            // The file has become shorter since it was begun.
            if read < count { return }
            offset += UInt64(count)
        }
    }

    /// The whole file; for small ones.
    func bytes(_ source: any BaseSource) throws(PublishError) -> [UInt8] {
        var bytes: [UInt8] = []
        try forEachPiece(source) { piece in bytes += piece }
        return bytes
    }

    /// - Returns: bytes read, fewer at the end of the file.
    private func fill(
        _ buffer: UnsafeMutableRawBufferPointer, at offset: UInt64, _ source: any BaseSource
    ) throws(PublishError) -> Int {
        switch self {
        case .base(let file):
            try source.read(file, at: offset, into: buffer)
            return buffer.count
        case .working(let file):
            for _ in 0..<Self.moveCountMax {
                if let count = try fill(buffer, of: file, at: offset, source) { return count }
            }
            throw .workspace(
                .damaged(path: "staging", reason: "edited bytes are not where they should be"))
        }
    }

    /// - Returns: nil when a commit ended meanwhile and gave bytes another place.
    private func fill(
        _ buffer: UnsafeMutableRawBufferPointer, of file: WorkingFile, at offset: UInt64,
        _ source: any BaseSource
    ) throws(PublishError) -> Int? {
        var filled = 0
        for segment in file.segments(offset: offset, count: buffer.count) {
            let count = segment.bytes.count
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[filled..<filled + count])
            switch segment.source {
            case .zeros: _ = part.initializeMemory(as: UInt8.self, repeating: 0)
            case .base(let base): try source.read(base, at: segment.bytes.lowerBound, into: part)
            case .staged(let store):
                do throws(WriteBackError) {
                    guard try store.read(into: part, at: segment.bytes.lowerBound) == count else {
                        return nil
                    }
                } catch {
                    throw .workspace(error)
                }
            }
            filled += count
        }
        return filled
    }
}

extension ContentID {
    /// Whether the Hub takes the name for the bytes: what git keeps it wants again.
    fileprivate var isSentByName: Bool {
        if case .git = self { false } else { true }
    }
}
