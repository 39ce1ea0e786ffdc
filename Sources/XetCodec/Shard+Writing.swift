extension Shard {
    /// The bytes of the shard as uploads have it: without a footer, files and xorbs in the order of their
    /// hashes.
    package var uploaded: [UInt8] {
        var writer = RecordWriter()
        writer.bytes += ShardFormat.tag
        writer.number(ShardFormat.version)
        writer.number(UInt64(0))
        for file in files.sorted(by: { $0.hash < $1.hash }) { writer.write(file) }
        writer.record(ShardFormat.end)
        for xorb in xorbs.sorted(by: { $0.hash < $1.hash }) { writer.write(xorb) }
        writer.record(ShardFormat.end)
        return writer.bytes
    }
}

private struct RecordWriter {
    var bytes: [UInt8] = []

    mutating func write(_ file: ShardFile) {
        var flags: UInt32 = 0
        if !file.proofs.isEmpty { flags |= ShardFormat.hasProofs }
        if file.sha256 != nil { flags |= ShardFormat.hasDigest }
        record(file.hash, flags, UInt32(file.terms.count))
        for term in file.terms {
            record(term.xorb, 0, term.byteCount, term.chunks.lowerBound, term.chunks.upperBound)
        }
        for proof in file.proofs { record(proof) }
        if let digest = file.sha256 {
            ShardFormat.swapped(digest).withUnsafeBytes { record(XetHash(bytes: $0)) }
        }
    }

    mutating func write(_ xorb: ShardXorb) {
        record(xorb.hash, 0, UInt32(xorb.chunks.count), xorb.byteCount, xorb.packedByteCount)
        for chunk in xorb.chunks {
            let flags = chunk.isEligible ? ShardFormat.isEligible : 0
            record(chunk.hash, chunk.start, chunk.byteCount, flags)
        }
    }

    /// A hash and four numbers.
    mutating func record(
        _ hash: XetHash, _ first: UInt32 = 0, _ second: UInt32 = 0, _ third: UInt32 = 0,
        _ last: UInt32 = 0
    ) {
        bytes += hash.bytes
        for value in [first, second, third, last] { number(value) }
    }

    mutating func number(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
    }
}
