import Glibc
import Platform
import XetCodec

/// Cutting a file into chunks, a large one by several threads at once.
extension XetPublication {
    /// Below it a thread is not worth a file's part.
    private static let partBytesMin: UInt64 = 16 << 20
    /// The disk, or memory, gives no more.
    private static let partCountMax = 4

    func cut(_ object: Object) throws(PublishError) -> Cut {
        let parts = Self.parts(of: object.size)
        let results = Monitor(
            [Result<ChunkParts.Part, PublishError>?](repeating: nil, count: parts.count))
        let (file, size) = (object.file, object.size)
        let threads = parts.indices.dropFirst().map { number in
            Thread(name: "hubfs-cut") {
                let result = Result { () throws(PublishError) in
                    try Self.cut(file, parts[number], of: size)
                }
                results.update { $0[number] = result }
            }
        }
        let first = Result { () throws(PublishError) in try Self.cut(file, parts[0], of: size) }
        for thread in threads { thread.join() }
        var found = [try first.get()]
        for result in results.update({ $0 }).dropFirst() { found.append(try result!.get()) }
        var chunks: [MerkleNode] = []
        try Self.reading(file) { (read) throws(PublishError) in
            chunks = try ChunkParts.joined(found, size: size, read)
        }
        let hash = chunks.isEmpty ? .zero : XetHash(ofFileWithRoot: MerkleTree.root(chunks))
        return Cut(object: object, chunks: chunks, hash: hash)
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
    ) throws(PublishError) -> ChunkParts.Part {
        var hasher = FileHasher()
        try reading(file) { (read) throws(PublishError) in
            var offset = part.lowerBound
            while offset < part.upperBound {
                let count = Int(min(UInt64(pieceBytes), part.upperBound - offset))
                hasher.update(try read(offset, count))
                offset += UInt64(count)
            }
        }
        if part.upperBound == size { _ = hasher.finish() }
        return ChunkParts.Part(start: part.lowerBound, chunks: hasher.chunks)
    }
}
