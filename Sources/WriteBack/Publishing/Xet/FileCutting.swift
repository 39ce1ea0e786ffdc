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

    /// The chunks of a file.
    static func chunks(of file: StagedBytes) throws(PublishError) -> [MerkleNode] {
        let parts = parts(of: file.size)
        let results = Monitor(
            [Result<ChunkParts.Part, PublishError>?](repeating: nil, count: parts.count))
        let threads = parts.indices.dropFirst().map { number in
            Thread(name: "hubfs-cut") {
                let result = Result { () throws(PublishError) in try cut(file, parts[number]) }
                results.update { $0[number] = result }
            }
        }
        let first = Result { () throws(PublishError) in try cut(file, parts[0]) }
        for thread in threads { thread.join() }
        var found = [try first.get()]
        for result in results.update({ $0 }).dropFirst() { found.append(try result!.get()) }
        let reader = PieceReader(file)
        return try ChunkParts.joined(found, size: file.size) {
            (offset, count) throws(PublishError) in try reader.read(at: offset, count: count)
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
        _ file: StagedBytes, _ part: Range<UInt64>
    ) throws(PublishError) -> ChunkParts.Part {
        var hasher = FileHasher()
        try PieceReader(file).forEachPiece(of: part) { hasher.update($0) }
        if part.upperBound == file.size { _ = hasher.finish() }
        return ChunkParts.Part(start: part.lowerBound, chunks: hasher.chunks)
    }
}
