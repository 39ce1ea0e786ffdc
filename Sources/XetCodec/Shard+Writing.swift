extension Shard {
    /// The bytes of the shard as uploads have it: without a footer, files and xorbs in the order of their
    /// hashes.
    package var uploaded: [UInt8] { written(footerBytes: 0).writer.bytes }

    /// The bytes of the shard as answers to deduplication queries have it: with a footer that tells the key
    /// and the expiry, without lookup tables. The hashes of its chunks are keyed already.
    ///
    /// - Parameter createdSeconds: Since 1970.
    package func answered(createdSeconds: UInt64) -> [UInt8] {
        var (writer, xorbsStart) = written(footerBytes: ShardFormat.footerBytes)
        let end = UInt64(writer.bytes.count)
        let filesStart = UInt64(ShardFormat.recordBytes)
        // Three tables that are empty, each by its place and its count.
        for number in [ShardFormat.footerVersion, filesStart, xorbsStart, end, 0, end, 0, end, 0] {
            writer.number(number)
        }
        writer.bytes += key.bytes
        writer.number(createdSeconds)
        writer.number(expirySeconds ?? 0)
        // Reserved, and sizes that nobody asks for.
        for _ in 0..<9 { writer.number(UInt64(0)) }
        writer.number(end)
        return writer.bytes
    }

    /// Both sections, and where the second one begins.
    private func written(footerBytes: Int) -> (writer: RecordWriter, xorbsStart: UInt64) {
        var writer = RecordWriter()
        writer.bytes += ShardFormat.tag
        writer.number(ShardFormat.version)
        writer.number(UInt64(footerBytes))
        for file in files.sorted(by: { $0.hash < $1.hash }) { writer.write(file) }
        writer.record(ShardFormat.end)
        let xorbsStart = UInt64(writer.bytes.count)
        for xorb in xorbs.sorted(by: { $0.hash < $1.hash }) { writer.write(xorb) }
        writer.record(ShardFormat.end)
        return (writer, xorbsStart)
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
