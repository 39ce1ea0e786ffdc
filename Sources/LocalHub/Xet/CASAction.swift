import XetCodec

/// What is asked of the CAS.
enum CASAction: Equatable, Sendable {
    case reconstruction(XetHash, version: Int)
    case file(XetHash)
    case xorb(XetHash)
    case unknown

    /// The one place of xorbs and chunks that clients ask in.
    static let prefix = "default"

    /// Reads what follows `/cas`: a version and more.
    init(_ segments: ArraySlice<String>) {
        let words = Array(segments)
        let hash = words.last.flatMap { XetHash(text: $0) }
        switch (words.first, words.dropFirst().first, words.count, hash) {
        case ("v1", "reconstructions", 3, let hash?): self = .reconstruction(hash, version: 1)
        case ("v2", "reconstructions", 3, let hash?): self = .reconstruction(hash, version: 2)
        case ("v1", "files", 3, let hash?): self = .file(hash)
        case ("v1", "xorbs", 4, let hash?) where words[2] == Self.prefix: self = .xorb(hash)
        default: self = .unknown
        }
    }

    /// The name the counters have for it.
    var name: String {
        switch self {
        case .reconstruction: "cas-reconstruction"
        case .file: "cas-file"
        case .xorb: "cas-xorb"
        case .unknown: "cas-unknown"
        }
    }

    static let names: Set<String> = [
        "cas-reconstruction", "cas-file", "cas-xorb", "cas-unknown",
    ]
}
