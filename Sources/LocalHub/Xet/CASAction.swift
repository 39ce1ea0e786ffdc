import XetCodec

/// What is asked of the CAS.
enum CASAction: Equatable, Sendable {
    case reconstruction(XetHash, version: Int)
    case file(XetHash)
    case xorb(XetHash)
    case grant(XetHash)
    case commit(XetHash, grant: String)
    case shard(version: Int)
    case chunk(XetHash)
    case unknown

    /// The one place of xorbs and chunks that clients ask in.
    static let prefix = "default"

    /// Reads what follows `/cas`: a version and more.
    init(_ segments: ArraySlice<String>) {
        let words = Array(segments)
        let version = words.first == "v2" ? 2 : 1
        switch (version, words.dropFirst().first, words.count) {
        case (_, "shards", 2): self = .shard(version: version)
        case (_, _, 3):
            self = XetHash(text: words[2]).map { Self.of($0, words[1], version) } ?? .unknown
        case (1, let word?, 4...) where words[2] == Self.prefix:
            let rest = words[4...]
            self = XetHash(text: words[3]).map { Self.stored($0, word, rest) } ?? .unknown
        default: self = .unknown
        }
    }

    /// What is named by its hash alone.
    private static func of(_ hash: XetHash, _ word: String, _ version: Int) -> CASAction {
        switch (version, word) {
        case (_, "reconstructions"): .reconstruction(hash, version: version)
        case (1, "files"): .file(hash)
        default: .unknown
        }
    }

    /// What has a prefix before its hash.
    private static func stored(
        _ hash: XetHash, _ word: String, _ rest: ArraySlice<String>
    ) -> CASAction {
        switch (word, Array(rest)) {
        case ("xorbs", []): .xorb(hash)
        case ("xorb-grants", []): .grant(hash)
        case ("chunks", []): .chunk(hash)
        case ("xorb-commits", let rest) where rest.count == 2 && rest[0] == "grant":
            .commit(hash, grant: rest[1])
        default: .unknown
        }
    }

    /// The name the counters have for it.
    var name: String {
        switch self {
        case .reconstruction: "cas-reconstruction"
        case .file: "cas-file"
        case .xorb: "cas-xorb"
        case .grant: "cas-grant"
        case .commit: "cas-commit"
        case .shard: "cas-shard"
        case .chunk: "cas-chunk"
        case .unknown: "cas-unknown"
        }
    }

    static let names: Set<String> = [
        "cas-reconstruction", "cas-file", "cas-xorb", "cas-grant", "cas-commit", "cas-shard",
        "cas-chunk", "cas-unknown",
    ]
}
