extension Shard {
    /// Reads a shard, with its footer or without.
    ///
    /// Takes any bytes: what does not fit together is an error, and no more memory is used than the
    /// bytes have. Lookup tables are passed over.
    package init(reading bytes: UnsafeRawBufferPointer) throws(XetFormatError) {
        var reader = RecordReader(bytes)
        let head = try reader.next()
        guard head.hash.bytes.elementsEqual(ShardFormat.tag) else { throw .unknownFormat }
        guard head.wide(0) == ShardFormat.version else { throw .unknownFormat }
        let footerBytes = head.wide(1)
        guard footerBytes == 0 || footerBytes == ShardFormat.footerBytes else {
            throw .contradiction("footer of \(footerBytes) bytes")
        }
        while true {
            let record = try reader.next()
            if record.hash == ShardFormat.end { break }
            files.append(try Self.file(record, &reader))
        }
        while true {
            let record = try reader.next()
            if record.hash == ShardFormat.end { break }
            xorbs.append(try Self.xorb(record, &reader))
        }
        if footerBytes > 0 { try readFooter(reader.rest) }
    }

    private static func file(
        _ head: Record, _ reader: inout RecordReader
    ) throws(XetFormatError) -> ShardFile {
        let (flags, count) = (head.narrow(0), Int(head.narrow(1)))
        let hasProofs = flags & ShardFormat.hasProofs != 0
        try reader.expect(hasProofs ? 2 * count : count)
        var terms: [XetTerm] = []
        var proofs: [XetHash] = []
        for _ in 0..<count {
            let record = try reader.next()
            let (start, end) = (record.narrow(2), record.narrow(3))
            guard start < end else { throw .contradiction("term of chunks \(start)..<\(end)") }
            terms.append(
                XetTerm(xorb: record.hash, byteCount: record.narrow(1), chunks: start..<end))
        }
        for _ in 0..<(hasProofs ? count : 0) { proofs.append(try reader.next().hash) }
        let hasDigest = flags & ShardFormat.hasDigest != 0
        let digest = hasDigest ? ShardFormat.swapped(try reader.next().hash.bytes) : nil
        return ShardFile(hash: head.hash, terms: terms, proofs: proofs, sha256: digest)
    }

    private static func xorb(
        _ head: Record, _ reader: inout RecordReader
    ) throws(XetFormatError) -> ShardXorb {
        let count = Int(head.narrow(1))
        try reader.expect(count)
        var chunks: [ShardChunk] = []
        for _ in 0..<count {
            let record = try reader.next()
            chunks.append(
                ShardChunk(
                    hash: record.hash, start: record.narrow(0), byteCount: record.narrow(1),
                    isEligible: record.narrow(2) & ShardFormat.isEligible != 0))
        }
        return ShardXorb(
            hash: head.hash, chunks: chunks, byteCount: head.narrow(2),
            packedByteCount: head.narrow(3))
    }

    /// - Parameter rest: What follows the last section: perhaps tables, and then the footer.
    private mutating func readFooter(_ rest: UnsafeRawBufferPointer) throws(XetFormatError) {
        guard rest.count >= ShardFormat.footerBytes else { throw .cut }
        let footer = UnsafeRawBufferPointer(rebasing: rest.suffix(ShardFormat.footerBytes))
        guard footer.number(at: 0) == ShardFormat.footerVersion else { throw .unknownFormat }
        key = XetHash(bytes: UnsafeRawBufferPointer(rebasing: footer[72..<104]))
        let expiry = footer.number(at: 112)
        expirySeconds = expiry == 0 || expiry == .max ? nil : expiry
    }
}

/// 48 bytes: a hash, and four numbers of 32 bits or two of 64.
private struct Record {
    let bytes: UnsafeRawBufferPointer

    var hash: XetHash { XetHash(bytes: UnsafeRawBufferPointer(rebasing: bytes[..<32])) }

    func narrow(_ index: Int) -> UInt32 {
        UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 32 + 4 * index, as: UInt32.self))
    }

    func wide(_ index: Int) -> UInt64 { bytes.number(at: 32 + 8 * index) }
}

/// Goes through records one after the other.
private struct RecordReader {
    private(set) var rest: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer) { rest = bytes }

    mutating func next() throws(XetFormatError) -> Record {
        try expect(1)
        let record = Record(
            bytes: UnsafeRawBufferPointer(rebasing: rest[..<ShardFormat.recordBytes]))
        rest = UnsafeRawBufferPointer(rebasing: rest[ShardFormat.recordBytes...])
        return record
    }

    /// Makes sure that so many records follow.
    func expect(_ count: Int) throws(XetFormatError) {
        if rest.count / ShardFormat.recordBytes < count { throw .cut }
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func number(at offset: Int) -> UInt64 {
        UInt64(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
}
