import Glibc
import Platform
import SystemPackage
import XetCodec

/// Cutting a file into chunks, a large one by several threads at once.
enum FileCutting {
    /// Below it a thread is not worth a file's part.
    private static let partBytesMin: UInt64 = 16 << 20
    /// The disk, or memory, gives no more.
    private static let partCountMax = 4

    /// The chunks of a file's first `size` bytes.
    static func chunks(of file: StagingFile, size: UInt64) throws(WriteBackError) -> [MerkleNode] {
        let parts = parts(of: size)
        let results = Monitor(
            [Result<ChunkParts.Part, WriteBackError>?](repeating: nil, count: parts.count))
        let threads = parts.indices.dropFirst().map { number in
            Thread(name: "hubfs-cut") {
                let result = Result { () throws(WriteBackError) in
                    try cut(file, parts[number], of: size)
                }
                results.update { $0[number] = result }
            }
        }
        let first = Result { () throws(WriteBackError) in try cut(file, parts[0], of: size) }
        for thread in threads { thread.join() }
        var found = [try first.get()]
        for result in results.update({ $0 }).dropFirst() { found.append(try result!.get()) }
        let reader = PieceReader(file)
        return try ChunkParts.joined(found, size: size) {
            (offset, count) throws(WriteBackError) in try reader.read(at: offset, count: count)
        }
    }

    /// What the store calls a file of these chunks.
    static func name(of chunks: [MerkleNode]) -> XetHash {
        chunks.isEmpty ? .zero : XetHash(ofFileWithRoot: MerkleTree.root(chunks))
    }

    /// One for each processor, unless they were small.
    private static func parts(of size: UInt64) -> [Range<UInt64>] {
        let processorCount = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        let count = min(
            UInt64(min(processorCount, partCountMax)), max(1, size / partBytesMin))
        let partBytes = size / count / ChunkParts.alignment * ChunkParts.alignment
        return (0..<count).map { number in
            number * partBytes..<(number + 1 == count ? size : (number + 1) * partBytes)
        }
    }

    private static func cut(
        _ file: StagingFile, _ part: Range<UInt64>, of size: UInt64
    ) throws(WriteBackError) -> ChunkParts.Part {
        var hasher = FileHasher()
        let reader = PieceReader(file)
        var offset = part.lowerBound
        while offset < part.upperBound {
            let count = Int(min(UInt64(PieceReader.byteCountMax), part.upperBound - offset))
            hasher.update(try reader.read(at: offset, count: count))
            offset += UInt64(count)
        }
        if part.upperBound == size { _ = hasher.finish() }
        return ChunkParts.Part(start: part.lowerBound, chunks: hasher.chunks)
    }
}

/// Reads pieces of a staging file into memory of its own: for one thread.
final class PieceReader {
    static let byteCountMax = 1 << 20

    private let file: StagingFile
    private let buffer = UnsafeMutableRawBufferPointer.allocate(
        byteCount: PieceReader.byteCountMax, alignment: 4096)

    init(_ file: StagingFile) {
        self.file = file
        file.retain()
    }

    deinit {
        buffer.deallocate()
        file.release()
    }

    /// - Parameter count: At most `byteCountMax`, all within the file.
    /// - Returns: bytes that are good until the next call.
    func read(at offset: UInt64, count: Int) throws(WriteBackError) -> UnsafeRawBufferPointer {
        let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
        let read = try file.use { (file) throws(Errno) in
            try file.readWhole(into: piece, at: offset)
        }
        guard read == count else { throw .disk(.ioError, path: file.path.string) }
        return UnsafeRawBufferPointer(piece)
    }
}
