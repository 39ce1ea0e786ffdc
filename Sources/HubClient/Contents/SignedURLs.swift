import Platform
import XetCodec

/// Where a content's bytes are served from, and until when.
struct ContentURL: Hashable, Sendable {
    let url: WebURL
    /// On the Hub itself (resolve-cache): asked with the token, counted by the Hub's quota.
    let isOurs: Bool
    /// The content's name in the content-addressed store; nil when the Hub names none.
    var xetHash: XetHash?

    /// Which of the Hub's quotas a request there is counted in.
    var quota: RateLimitGate.Class { url.path.contains("/resolve/") ? .resolvers : .api }
}

/// The URLs contents were found at, until they expire: the Hub is asked once per file, not once
/// per range. Pure: instants are given.
struct SignedURLs {
    private struct Known {
        let place: ContentURL
        let expiresAt: MonotonicInstant
        var usedAt: UInt64
    }

    private var known: [ContentID: Known] = [:]
    private var useCount: UInt64 = 0
    private let countMax: Int

    /// - Parameter countMax: URLs kept; a signed one is about 1 KB.
    init(countMax: Int = 2048) { self.countMax = countMax }

    mutating func place(of content: ContentID, now: MonotonicInstant) -> ContentURL? {
        guard let entry = known[content] else { return nil }
        guard now < entry.expiresAt else {
            known[content] = nil
            return nil
        }
        useCount += 1
        known[content]?.usedAt = useCount
        return entry.place
    }

    mutating func remember(
        _ place: ContentURL, of content: ContentID, seconds: Double, now: MonotonicInstant
    ) {
        guard seconds > 0 else { return }
        useCount += 1
        known[content] = Known(
            place: place, expiresAt: now.advanced(bySeconds: seconds), usedAt: useCount)
        if known.count > countMax { dropLeastUsed() }
    }

    /// Drops a URL that was refused, unless another fetch has renewed it meanwhile.
    mutating func forget(_ place: ContentURL, of content: ContentID) {
        if known[content]?.place == place { known[content] = nil }
    }

    /// Half at once, so that the search costs little per URL.
    private mutating func dropLeastUsed() {
        let median = known.values.map(\.usedAt).sorted()[known.count / 2]
        known = known.filter { $0.value.usedAt > median }
    }

    /// How long a URL may be used.
    ///
    /// Signed URLs carry their end: `Expires` (CloudFront, seconds since 1970), or `X-Amz-Expires`
    /// (S3, seconds from now, as the Hub signs when asked). An eighth of the life, at most a
    /// minute, is kept back for clocks that differ and for the transfer itself.
    static func usableSeconds(_ place: ContentURL, secondsSince1970: Double) -> Double {
        // Addressed by commit, so it never changes; bounded to follow changes of access.
        if place.isOurs { return 3600 }
        let life: Double
        if let end = place.url.queryValue("Expires").flatMap({ Double($0) }) {
            life = end - secondsSince1970
        } else if let seconds = place.url.queryValue("X-Amz-Expires").flatMap({ Double($0) }) {
            life = seconds
        } else {
            life = 300
        }
        let bounded = min(life, 86400)
        return bounded - min(60, bounded / 8)
    }
}
