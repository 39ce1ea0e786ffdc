import Foundation
package import XetCodec

/// What a file is made of.
package struct XetFile: Sendable {
    package let hash: XetHash
    /// Bytes.
    package let size: Int
    let terms: [XetTerm]

    init(hash: XetHash, terms: [XetTerm]) {
        self.hash = hash
        self.terms = terms
        size = terms.reduce(0) { $0 + Int($1.byteCount) }
    }

    /// What no term is needed for.
    static let empty = XetFile(hash: .zero, terms: [])

    // MARK: As the database has it

    private static let rowBytes = XetHash.byteCount + 12

    var encodedTerms: Data {
        var data = Data(capacity: terms.count * Self.rowBytes)
        for term in terms {
            data += term.xorb.bytes
            for number in [term.byteCount, term.chunks.lowerBound, term.chunks.upperBound] {
                withUnsafeBytes(of: number.littleEndian) { data += $0 }
            }
        }
        return data
    }

    init(hash: XetHash, encodedTerms: Data) {
        let terms = encodedTerms.withUnsafeBytes { raw in
            stride(from: 0, to: raw.count, by: Self.rowBytes).map { start in
                let row = UnsafeRawBufferPointer(rebasing: raw[start..<start + Self.rowBytes])
                return XetTerm(
                    xorb: XetHash(bytes: UnsafeRawBufferPointer(rebasing: row[..<32])),
                    byteCount: row.number(at: 32), chunks: row.number(at: 36)..<row.number(at: 40))
            }
        }
        self.init(hash: hash, terms: terms)
    }
}
