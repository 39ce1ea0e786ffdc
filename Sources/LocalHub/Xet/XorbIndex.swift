import Foundation
import XetCodec

/// Which chunks a xorb has, and where they lie in it.
struct XorbIndex: Sendable {
    let chunks: [MerkleNode]
    /// Where the record of each chunk ends in the xorb.
    let ends: [UInt32]

    /// The xorb's name.
    var hash: XetHash { MerkleTree.root(chunks) }

    /// Bytes of the xorb.
    var packedByteCount: Int { ends.last.map(Int.init) ?? 0 }

    /// Where the records of some chunks lie in the xorb.
    ///
    /// - Parameter range: Not empty.
    func bytes(of range: Range<Int>) -> ByteRange {
        let start = range.lowerBound == 0 ? 0 : Int(ends[range.lowerBound - 1])
        return ByteRange(first: start, last: Int(ends[range.upperBound - 1]) - 1)
    }

    /// Bytes of some chunks, unpacked.
    func byteCount(of range: Range<Int>) -> Int {
        chunks[range].reduce(0) { $0 + Int($1.byteCount) }
    }

    // MARK: From a xorb's bytes

    /// Longest xorb. The official client counts unpacked bytes when it fills one, so with chunks that
    /// do not pack it is longer by their heads.
    static let byteCountMax =
        XorbWriter.byteCountMax + XorbWriter.chunkCountMax * XorbReader.headBytes

    /// Reads a xorb and hashes each of its chunks.
    ///
    /// - Parameter xorb: With a footer or without; what follows the last chunk is not looked at.
    /// - Throws: `XetFormatError` unless it is one, within the limits of the format.
    init(reading xorb: UnsafeRawBufferPointer) throws(XetFormatError) {
        var reader = XorbReader(xorb)
        var chunks: [MerkleNode] = []
        var ends: [UInt32] = []
        var end = 0
        var buffer = [UInt8](repeating: 0, count: Chunker.byteCountMax)
        while let chunk = try reader.next() {
            guard chunks.count < XorbWriter.chunkCountMax else {
                throw .contradiction("more than \(XorbWriter.chunkCountMax) chunks")
            }
            let hash = try Self.hash(of: chunk, by: reader, &buffer)
            chunks.append(MerkleNode(hash, byteCount: UInt64(chunk.byteCount)))
            end += XorbReader.headBytes + chunk.bytes.count
            guard end <= Self.byteCountMax else {
                throw .contradiction("more than \(Self.byteCountMax) bytes")
            }
            ends.append(UInt32(end))
        }
        guard !chunks.isEmpty else { throw .cut }
        (self.chunks, self.ends) = (chunks, ends)
    }

    private static func hash(
        of chunk: XorbReader.Chunk, by reader: XorbReader, _ buffer: inout [UInt8]
    ) throws(XetFormatError) -> XetHash {
        let result: Result<XetHash, XetFormatError> = buffer.withUnsafeMutableBytes { raw in
            let room = UnsafeMutableRawBufferPointer(rebasing: raw[..<chunk.byteCount])
            do throws(XetFormatError) {
                try reader.unpack(chunk, into: room)
                return .success(XetHash(ofChunk: UnsafeRawBufferPointer(room)))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    // MARK: As the database has it

    private static let rowBytes = XetHash.byteCount + 8

    var encoded: Data {
        var data = Data(capacity: chunks.count * Self.rowBytes)
        for (chunk, end) in zip(chunks, ends) {
            data += chunk.hash.bytes
            for number in [end, UInt32(chunk.byteCount)] {
                withUnsafeBytes(of: number.littleEndian) { data += $0 }
            }
        }
        return data
    }

    init(encoded: Data) {
        var chunks: [MerkleNode] = []
        var ends: [UInt32] = []
        encoded.withUnsafeBytes { raw in
            for start in stride(from: 0, to: raw.count, by: Self.rowBytes) {
                let row = UnsafeRawBufferPointer(rebasing: raw[start..<start + Self.rowBytes])
                let hash = XetHash(bytes: UnsafeRawBufferPointer(rebasing: row[..<32]))
                chunks.append(MerkleNode(hash, byteCount: UInt64(row.number(at: 36))))
                ends.append(row.number(at: 32))
            }
        }
        (self.chunks, self.ends) = (chunks, ends)
    }
}

extension UnsafeRawBufferPointer {
    /// A little-endian number of four bytes.
    func number(at offset: Int) -> UInt32 {
        UInt32(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
}
