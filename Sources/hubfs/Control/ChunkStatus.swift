import HubClient

/// What a daemon tells of chunks: `XetFigures`, as far as people and programs ask.
struct ChunkStatus {
    /// Files whose terms are known.
    var plannedCount: UInt64
    /// Bytes of contents that came as chunks.
    var unpackedBytes: UInt64
    /// Bytes of contents that were copied from others.
    var sharedBytes: UInt64
    /// How often the plain way was taken instead, by `XetFigures.Reason`.
    var fallbacks: [String: UInt64]
    var lastFallback: String?

    init(_ figures: XetFigures) {
        plannedCount = figures.plannedCount
        unpackedBytes = figures.unpackedBytes
        sharedBytes = figures.sharedBytes
        fallbacks = Dictionary(
            uniqueKeysWithValues: figures.fallbacks.map { ($0.key.rawValue, $0.value) })
        lastFallback = figures.lastFallback
    }

    /// For people; nil when there is nothing to tell.
    var text: String? {
        let count = fallbacks.values.reduce(0, +)
        guard plannedCount + count > 0 else { return nil }
        var text =
            "\(readableSize(unpackedBytes)) in chunks, \(readableSize(sharedBytes)) copied from other files"
        if count > 0 {
            text += ", the plain way instead \(count) times (\(printable(lastFallback ?? "")))"
        }
        return text
    }
}

extension ChunkStatus {
    var json: JSON {
        .object([
            "files": .count(plannedCount), "unpackedBytes": .count(unpackedBytes),
            "sharedBytes": .count(sharedBytes),
            "fallbacks": .object(fallbacks.mapValues { .count($0) }),
            "lastFallback": .optional(lastFallback),
        ])
    }

    /// - Returns: nil when a member is missing or of another type.
    init?(_ json: JSON) {
        guard let planned = json["files"]?.unsigned,
            let unpacked = json["unpackedBytes"]?.unsigned,
            let shared = json["sharedBytes"]?.unsigned,
            let fallbacks = json["fallbacks"]?.members
        else { return nil }
        plannedCount = planned
        unpackedBytes = unpacked
        sharedBytes = shared
        self.fallbacks = fallbacks.compactMapValues(\.unsigned)
        lastFallback = json["lastFallback"]?.string
    }
}
