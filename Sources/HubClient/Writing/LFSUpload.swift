/// An object of LFS storage.
package struct LFSObject: Hashable, Sendable {
    package let oid: LFSOID
    package let size: UInt64

    package init(oid: LFSOID, size: UInt64) {
        self.oid = oid
        self.size = size
    }
}

/// Where the Hub wants an object sent: signed URLs, good for some hours at most. Nothing that
/// describes it shows them, and it is not to be kept.
package struct LFSUpload: Sendable, CustomStringConvertible, CustomReflectable {
    /// Why the Hub's answer cannot be used, in words for `HubError.malformed`.
    struct Invalid: Error {
        let reason: String
    }

    enum Way: Sendable {
        case single(WebURL)
        /// Parts of one length, the last one shorter, one URL each; then `complete` is asked.
        case parts([WebURL], byteCount: UInt64, complete: WebURL)
    }

    package let object: LFSObject
    let way: Way
    /// Asked when the bytes have arrived.
    let verify: WebURL?

    package var description: String { "(upload of \(object.oid), \(object.size) bytes)" }
    package var customMirror: Mirror { Mirror(self, children: []) }

    /// What each part holds, in bytes from the beginning of the object.
    var ranges: [Range<UInt64>] {
        guard case .parts(let urls, let byteCount, _) = way else { return [0..<object.size] }
        return urls.indices.map { index in
            let start = UInt64(index) * byteCount
            return start..<min(start + byteCount, object.size)
        }
    }

    func url(ofPart index: Int) -> WebURL {
        switch way {
        case .single(let url): url
        case .parts(let urls, _, _): urls[index]
        }
    }
}

extension LFSUpload {
    /// Reads the `actions` of an object in the answer to an LFS batch.
    init(_ actions: JSON, of object: LFSObject, routes: HubRoutes) throws(Invalid) {
        self.object = object
        guard let action = actions["upload"],
            let url = action["href"]?.string.flatMap(routes.target)
        else { throw Invalid(reason: "no URL to upload \(object.oid) to") }
        if let chunkSize = action["header"]?["chunk_size"] {
            guard let byteCount = chunkSize.unsigned ?? chunkSize.string.flatMap({ UInt64($0) }),
                byteCount > 0
            else { throw Invalid(reason: "the parts of \(object.oid) have no size") }
            let urls = try Self.partURLs(action, of: object, byteCount: byteCount, routes)
            way = .parts(urls, byteCount: byteCount, complete: url)
        } else {
            way = .single(url)
        }
        if let action = actions["verify"], action != .null {
            guard let url = action["href"]?.string.flatMap(routes.target) else {
                throw Invalid(reason: "no URL to verify \(object.oid) at")
            }
            verify = url
        } else {
            verify = nil
        }
    }

    /// The headers named by a number are the parts' URLs.
    private static func partURLs(
        _ action: JSON, of object: LFSObject, byteCount: UInt64, _ routes: HubRoutes
    ) throws(Invalid) -> [WebURL] {
        guard case .object(let headers)? = action["header"] else { return [] }
        var urls: [(number: UInt64, url: WebURL)] = []
        for (name, value) in headers {
            guard name.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
                let number = UInt64(name)
            else { continue }
            guard let url = value.string.flatMap(routes.target) else {
                throw Invalid(reason: "part \(number) of \(object.oid) has no URL")
            }
            urls.append((number, url))
        }
        let (quotient, remainder) = object.size.quotientAndRemainder(dividingBy: byteCount)
        guard UInt64(urls.count) == quotient + (remainder > 0 ? 1 : 0), !urls.isEmpty else {
            throw Invalid(
                reason: "\(urls.count) parts of \(byteCount) bytes for \(object.size) bytes")
        }
        urls.sort { $0.number < $1.number }
        return urls.map(\.url)
    }
}

/// Why an object has not been uploaded. Signed URLs are never part of it.
package enum UploadFailure: Error, Hashable, Sendable {
    /// A signed URL is refused: past its time, or its upload was cleared away. A new batch gives
    /// new ones.
    case expired(HubError)
    /// The file ends early or cannot be read.
    case unreadable(String)
    /// Final, after every retry.
    case failed(HubError)
}
