import XetCodec

/// A reconstruction as the CAS answers it, in either version.
struct ReconstructionBody: Encodable {
    /// Half open.
    struct Chunks: Encodable {
        let start: Int
        let end: Int

        init(_ range: Range<Int>) { (start, end) = (range.lowerBound, range.upperBound) }
    }

    /// Both ends included, as a Range header has them.
    struct Bytes: Encodable {
        let start: Int
        let end: Int

        init(_ range: ByteRange) { (start, end) = (range.first, range.last) }
    }

    struct Term: Encodable {
        let hash: String
        let unpackedLength: Int
        let range: Chunks
        let chunkByteSizes: [Int]?

        private enum CodingKeys: String, CodingKey {
            case hash, range
            case unpackedLength = "unpacked_length"
            case chunkByteSizes = "chunk_byte_sizes"
        }
    }

    /// Version 2: one URL for several ranges of a xorb.
    struct Entry: Encodable {
        struct Part: Encodable {
            let chunks: Chunks
            let bytes: Bytes
        }

        let url: String
        let ranges: [Part]
    }

    /// Version 1: a URL for each range.
    struct Fetch: Encodable {
        let range: Chunks
        let url: String
        let urlRange: Bytes

        private enum CodingKeys: String, CodingKey {
            case range, url
            case urlRange = "url_range"
        }
    }

    let offsetIntoFirstRange: Int
    let terms: [Term]
    var fetchInfo: [String: [Fetch]]?
    var xorbs: [String: [Entry]]?

    private enum CodingKeys: String, CodingKey {
        case terms, xorbs
        case offsetIntoFirstRange = "offset_into_first_range"
        case fetchInfo = "fetch_info"
    }

    /// Ranges in one URL, which must not get too long.
    private static let rangesMax = 256

    /// - Parameters:
    ///   - tellsChunks: whether each term says how long its chunks are.
    ///   - url: signs a URL for ranges of a xorb.
    init(
        _ plan: Reconstruction, version: Int, tellsChunks: Bool,
        url: (_ xorb: String, _ ranges: [ByteRange]) -> String
    ) {
        offsetIntoFirstRange = plan.offset
        terms = plan.terms.map { term in
            Term(
                hash: term.xorb.text, unpackedLength: term.byteCounts.reduce(0, +),
                range: Chunks(term.chunks), chunkByteSizes: tellsChunks ? term.byteCounts : nil)
        }
        let named = plan.fetches.map { ($0.xorb.text, $0.fetches) }
        if version == 1 {
            fetchInfo = Dictionary(
                uniqueKeysWithValues: named.map { xorb, fetches in
                    (xorb, fetches.map { Fetch($0, url: url(xorb, [$0.bytes])) })
                })
        } else {
            xorbs = Dictionary(
                uniqueKeysWithValues: named.map { xorb, fetches in
                    let lots = stride(from: 0, to: fetches.count, by: Self.rangesMax).map {
                        fetches[$0..<min($0 + Self.rangesMax, fetches.count)]
                    }
                    return (xorb, lots.map { Entry($0, url: url(xorb, $0.map(\.bytes))) })
                })
        }
    }
}

extension ReconstructionBody.Fetch {
    fileprivate init(_ fetch: Reconstruction.Fetch, url: String) {
        range = .init(fetch.chunks)
        urlRange = .init(fetch.bytes)
        self.url = url
    }
}

extension ReconstructionBody.Entry {
    fileprivate init(_ fetches: ArraySlice<Reconstruction.Fetch>, url: String) {
        ranges = fetches.map { Part(chunks: .init($0.chunks), bytes: .init($0.bytes)) }
        self.url = url
    }
}
