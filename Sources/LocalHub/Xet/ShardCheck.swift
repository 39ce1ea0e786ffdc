import Crypto
import NIOCore
import XetCodec

/// Holds what a shard says against what is stored.
struct ShardCheck {
    /// What is wrong with the shard.
    struct Failure: Error, CustomStringConvertible {
        let description: String

        init(_ description: String) { self.description = description }
    }

    let store: XetStore

    // MARK: Xorbs

    /// - Throws: `Failure` unless the xorb is here and is as it is described.
    func xorb(_ xorb: ShardXorb) throws {
        guard let index = try store.index(of: xorb.hash) else {
            throw Failure("The xorb \(xorb.hash) was not uploaded")
        }
        let stored = index.described(as: xorb.hash, key: .zero)
        let isSame =
            xorb.byteCount == stored.byteCount
            && [0, stored.packedByteCount].contains(xorb.packedByteCount)
            && xorb.chunks.elementsEqual(stored.chunks) { told, own in
                told.hash == own.hash && told.start == own.start && told.byteCount == own.byteCount
            }
        guard isSame else { throw Failure("The xorb \(xorb.hash) has other chunks") }
    }

    // MARK: Files

    /// - Returns: what is to be written down.
    /// - Throws: `Failure` unless the file's terms, proofs, hash and SHA-256 fit each other and the
    ///   xorbs that are here.
    func file(_ file: ShardFile) throws -> Registry.XetRegistration {
        guard file.proofs.count == file.terms.count else {
            throw Failure("The file \(file.hash) has no verification records")
        }
        var chunks: [MerkleNode] = []
        var places: [(hash: XetHash, xorb: XetHash)] = []
        for (term, proof) in zip(file.terms, file.proofs) {
            let own = try self.chunks(of: term, in: file)
            guard XetHash(ofRange: own.map(\.hash)) == proof else {
                throw Failure("A verification record of the file \(file.hash) is wrong")
            }
            for (index, chunk) in own.enumerated()
            where XetChunkRule.applies(to: chunk.hash, at: chunks.count + index) {
                places.append((chunk.hash, term.xorb))
            }
            chunks += own
        }
        let hash = chunks.isEmpty ? .zero : XetHash(ofFileWithRoot: MerkleTree.root(chunks))
        guard hash == file.hash else {
            throw Failure("The file is \(hash) and not \(file.hash)")
        }
        let known = XetFile(hash: hash, terms: file.terms)
        return Registry.XetRegistration(file: known, oid: try oid(of: known, file), chunks: places)
    }

    private func chunks(of term: XetTerm, in file: ShardFile) throws -> ArraySlice<MerkleNode> {
        guard let index = try store.index(of: term.xorb) else {
            throw Failure("The file \(file.hash) needs the xorb \(term.xorb), which is not here")
        }
        guard index.chunks.count >= Int(term.chunks.upperBound) else {
            throw Failure("The xorb \(term.xorb) has \(index.chunks.count) chunks")
        }
        let chunks = index.chunks[Int(term.chunks.lowerBound)..<Int(term.chunks.upperBound)]
        guard chunks.reduce(0, { $0 + $1.byteCount }) == term.byteCount else {
            throw Failure("A term of the file \(file.hash) has another length")
        }
        return chunks
    }

    /// The SHA-256 that the shard tells of the file, once the bytes were found to have it.
    private func oid(of known: XetFile, _ file: ShardFile) throws -> String {
        guard let told = file.sha256 else {
            throw Failure("The file \(file.hash) has no metadata record with its SHA-256")
        }
        var sum = SHA256()
        var contents = try XetContents(of: known, 0..<known.size, in: store)
        while let bytes = try contents.next() {
            bytes.withUnsafeReadableBytes { sum.update(bufferPointer: $0) }
        }
        let own = Array(sum.finalize())
        // An empty file is told with zeros.
        guard told == own || known.size == 0 && told.allSatisfy({ $0 == 0 }) else {
            throw Failure("The file \(file.hash) has the SHA-256 \(hex(own))")
        }
        return hex(own)
    }
}
