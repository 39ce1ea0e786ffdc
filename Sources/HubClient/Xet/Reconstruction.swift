package import XetCodec

extension XetTerm {
    /// The numbers of its chunks in the xorb.
    package var numbers: Range<Int> { Int(chunks.lowerBound)..<Int(chunks.upperBound) }
}

/// Where chunks of a xorb can be fetched that follow each other.
struct XorbRange: Hashable, Sendable {
    let xorb: XetHash
    let chunks: Range<Int>
    /// Signed: asked for as it is, without any token, for these bytes and no others.
    let url: WebURL
    /// Bytes of the xorb, packed; both ends belong to it.
    let bytes: ClosedRange<UInt64>
}

/// How a file, or a range of it, is put together from chunks.
///
/// Source: `GET /v2/reconstructions/{file}` and `/v1/…` of the store, whose answers say the same.
struct Reconstruction: Hashable, Sendable {
    /// Why an answer cannot be used, in words for `HubError.malformed`.
    struct Invalid: Error, Hashable {
        let reason: String
    }

    /// Bytes before the wanted ones in the first term.
    let skipCount: UInt64
    /// In the order of the file.
    let terms: [XetTerm]
    let ranges: [XorbRange]

    /// Longest bytes of a packed chunk, its head included.
    private static let packedBytesMax: UInt64 = 8 + 2 * UInt64(Chunker.byteCountMax)

    /// Takes an answer of either version.
    init(_ answer: JSON) throws(Invalid) {
        guard let skipCount = answer["offset_into_first_range"]?.unsigned,
            let rows = answer["terms"]?.array
        else { throw Invalid(reason: "no terms") }
        self.skipCount = skipCount
        var terms: [XetTerm] = []
        terms.reserveCapacity(rows.count)
        for row in rows { terms.append(try Self.term(row)) }
        self.terms = terms
        var ranges: [XorbRange] = []
        if case .object(let xorbs)? = answer["xorbs"] {
            for (name, entries) in xorbs {
                for entry in entries.array ?? [] {
                    for range in entry["ranges"]?.array ?? [] {
                        ranges.append(
                            try Self.range(
                                name, entry["url"], range["chunks"], range["bytes"]))
                    }
                }
            }
        } else if case .object(let xorbs)? = answer["fetch_info"] {
            for (name, entries) in xorbs {
                for entry in entries.array ?? [] {
                    ranges.append(
                        try Self.range(name, entry["url"], entry["range"], entry["url_range"]))
                }
            }
        } else if !terms.isEmpty {
            throw Invalid(reason: "nothing says where the chunks are")
        }
        self.ranges = ranges
    }

    /// Bytes of all terms.
    var byteCount: UInt64 { terms.reduce(0) { $0 + UInt64($1.byteCount) } }

    private static func term(_ row: JSON) throws(Invalid) -> XetTerm {
        guard let xorb = row["hash"]?.string.flatMap({ XetHash(text: $0) }),
            let chunks = chunks(row["range"]),
            let count = row["unpacked_length"]?.unsigned, count > 0,
            count <= UInt64(chunks.count) * UInt64(Chunker.byteCountMax)
        else { throw Invalid(reason: "a term that cannot be") }
        return XetTerm(
            xorb: xorb, byteCount: UInt32(count),
            chunks: UInt32(chunks.lowerBound)..<UInt32(chunks.upperBound))
    }

    private static func range(
        _ name: String, _ url: JSON?, _ chunks: JSON?, _ bytes: JSON?
    ) throws(Invalid) -> XorbRange {
        guard let xorb = XetHash(text: name), let chunks = Self.chunks(chunks),
            let url = url?.string.flatMap({ WebURL($0) }),
            let first = bytes?["start"]?.unsigned, let last = bytes?["end"]?.unsigned,
            first <= last, last - first < UInt64(chunks.count) * packedBytesMax
        else { throw Invalid(reason: "a range of a xorb that cannot be") }
        return XorbRange(xorb: xorb, chunks: chunks, url: url, bytes: first...last)
    }

    private static func chunks(_ value: JSON?) -> Range<Int>? {
        guard let start = value?["start"]?.unsigned, let end = value?["end"]?.unsigned,
            start < end, end <= UInt64(XorbWriter.chunkCountMax)
        else { return nil }
        return Int(start)..<Int(end)
    }
}
