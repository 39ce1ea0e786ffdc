import Foundation
import XetCodec

/// Gives an LFS object the form of Xet: cuts it into chunks, packs them into xorbs, writes down
/// what it is made of.
struct XetConversion {
    private let store: XetStore
    private var writer = XorbWriter()
    private var chunks: [MerkleNode] = []
    /// By the number of the xorb it is in, since that has no name before it is full.
    private var terms: [(xorb: Int, chunks: Range<Int>, byteCount: Int)] = []
    private var places: [XetHash: (xorb: Int, chunk: Int)] = [:]
    /// The xorbs that are full, those that were there before among them.
    private var xorbs: [XetHash] = []

    private init(store: XetStore, knowing known: [(hash: XetHash, index: XorbIndex)]) {
        self.store = store
        for (number, xorb) in known.enumerated() {
            xorbs.append(xorb.hash)
            for (chunk, node) in xorb.index.chunks.enumerated() where places[node.hash] == nil {
                places[node.hash] = (number, chunk)
            }
        }
    }

    /// Stores what a file is made of; xorbs that are there already are not written again.
    ///
    /// - Parameter known: Xorbs whose chunks the file may be made of.
    static func run(
        _ path: String, into store: XetStore, knowing known: [(hash: XetHash, index: XorbIndex)]
    ) throws -> Registry.XetRegistration {
        var conversion = XetConversion(store: store, knowing: known)
        try FileIntake.withContents(of: path) { bytes in
            var chunker = Chunker()
            var rest = bytes
            while !rest.isEmpty {
                let count = chunker.findEnd(in: rest) ?? rest.count
                try conversion.append(UnsafeRawBufferPointer(rebasing: rest[..<count]))
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            }
        }
        return try conversion.finish()
    }

    private mutating func append(_ chunk: UnsafeRawBufferPointer) throws {
        let hash = XetHash(ofChunk: chunk)
        chunks.append(MerkleNode(hash, byteCount: UInt64(chunk.count)))
        if let place = places[hash] { return extend(place, chunk.count) }
        if !writer.append(chunk, hash: hash) {
            try close()
            let isStored = writer.append(chunk, hash: hash)
            precondition(isStored, "an empty xorb has room for a chunk")
        }
        let place = (xorb: xorbs.count, chunk: writer.chunks.count - 1)
        places[hash] = place
        extend(place, chunk.count)
    }

    /// Goes on with the last term, or begins one.
    private mutating func extend(_ place: (xorb: Int, chunk: Int), _ byteCount: Int) {
        if let last = terms.last, last.xorb == place.xorb, last.chunks.upperBound == place.chunk {
            terms[terms.count - 1].chunks = last.chunks.lowerBound..<place.chunk + 1
            terms[terms.count - 1].byteCount += byteCount
        } else {
            terms.append((place.xorb, place.chunk..<place.chunk + 1, byteCount))
        }
    }

    private mutating func close() throws {
        guard !writer.chunks.isEmpty else { return }
        let intake = try store.receive()
        try writer.bytes.withUnsafeBytes { try intake.append($0) }
        let index = XorbIndex(of: writer)
        _ = try store.keep(intake, index)
        xorbs.append(index.hash)
        writer = XorbWriter()
    }

    private mutating func finish() throws -> Registry.XetRegistration {
        try close()
        let hash = chunks.isEmpty ? .zero : XetHash(ofFileWithRoot: MerkleTree.root(chunks))
        let terms = terms.map { term in
            XetTerm(
                xorb: xorbs[term.xorb], byteCount: UInt32(term.byteCount),
                chunks: UInt32(term.chunks.lowerBound)..<UInt32(term.chunks.upperBound))
        }
        let known = chunks.enumerated().filter { XetChunkRule.applies(to: $1.hash, at: $0) }
        return Registry.XetRegistration(
            file: XetFile(hash: hash, terms: terms), oid: nil,
            chunks: known.compactMap { chunk in
                places[chunk.element.hash].map { (chunk.element.hash, xorbs[$0.xorb]) }
            })
    }
}

/// Which chunks deduplication queries are for.
enum XetChunkRule {
    private static let divisor: UInt64 = 1024

    /// - Parameter index: The chunk's place in its file.
    static func applies(to hash: XetHash, at index: Int) -> Bool {
        index == 0 || hash.modulo(divisor) == 0
    }
}

extension XorbIndex {
    /// Of a xorb that was just packed.
    init(of writer: XorbWriter) {
        var ends: [UInt32] = []
        var end = 0
        writer.bytes.withUnsafeBytes { raw in
            var reader = XorbReader(raw)
            while let chunk = try? reader.next() {
                end += XorbReader.headBytes + chunk.bytes.count
                ends.append(UInt32(end))
            }
        }
        precondition(ends.count == writer.chunks.count, "a writer's xorb can be read")
        self.init(chunks: writer.chunks, ends: ends)
    }

    init(chunks: [MerkleNode], ends: [UInt32]) {
        self.chunks = chunks
        self.ends = ends
    }
}
