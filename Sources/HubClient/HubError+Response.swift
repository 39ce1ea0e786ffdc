import HTTPTransport

extension HubError {
    /// What an answer with an error status means, first match wins.
    ///
    /// Source: huggingface_hub `hf_raise_for_status`, and hub-docs on rate limits.
    ///
    /// - Parameter asksForRepo: A bare 401 on a repo's URL hides whether the repo exists.
    init(_ response: HTTPResponse, url: WebURL, asksForRepo: Bool) {
        let refusal = Refusal(response, url: url)
        let status = response.head.status
        switch response.head["x-error-code"] {
        case "RevisionNotFound": self = .revisionNotFound(refusal)
        case "EntryNotFound": self = .entryNotFound(refusal)
        case "GatedRepo": self = .gated(refusal)
        case "RepoNotFound": self = .repoNotFound(refusal)
        default:
            switch status {
            case 401 where refusal.message == "Invalid credentials in Authorization header":
                self = .badToken(refusal)
            case 401 where asksForRepo: self = .repoNotFound(refusal)
            case 401, 403: self = .forbidden(refusal)
            case 429: self = .rateLimited(refusal)
            default: self = .status(refusal)
            }
        }
    }

    /// What the Hub said when it refused; nil for the other cases.
    package var refusal: Refusal? {
        switch self {
        case .repoNotFound(let refusal), .revisionNotFound(let refusal),
            .entryNotFound(let refusal), .gated(let refusal), .badToken(let refusal),
            .forbidden(let refusal), .rateLimited(let refusal), .status(let refusal):
            refusal
        case .unreachable, .malformed, .offline, .cancelled: nil
        }
    }

    /// The status of the refusal; 0 for the other cases.
    var status: Int { refusal?.status ?? 0 }

    /// What a failed transfer means once no retry is left.
    init(_ error: HTTPTransportError, url: WebURL) {
        let url = url.withoutQuery
        self =
            switch error {
            case .cancelled: .cancelled
            case .malformed(let reason): .malformed(url: url, reason: reason)
            case .bodyTooLarge(let limit):
                .malformed(url: url, reason: "the answer is over \(limit) bytes")
            case .badURL: .malformed(url: url, reason: "this is no URL that can be asked")
            case .unreadableBody(let reason):
                .malformed(url: url, reason: "what was to be sent cannot be read: \(reason)")
            case .resolve(let reason), .connect(let reason), .tls(let reason),
                .failed(_, let reason):
                .unreachable(url: url, reason: reason)
            case .connectTimedOut: .unreachable(url: url, reason: "no connection in time")
            case .timedOut: .unreachable(url: url, reason: "no whole answer in time")
            case .stalled(let count):
                .unreachable(url: url, reason: "no byte came any more after \(count)")
            case .connectionLost(let count, let reason):
                .unreachable(url: url, reason: "\(reason) (after \(count) bytes)")
            case .queuedTooLong, .queueFull:
                .unreachable(url: url, reason: "too many requests wait for a connection")
            }
    }
}

extension HubError.Refusal {
    /// Longer messages are cut: they end up in log lines.
    private static let messageLengthMax = 500

    init(_ response: HTTPResponse, url: WebURL) {
        let head = response.head
        let body = JSON(response.body)
        let message =
            head["x-error-message"] ?? body?["error"]?.string
            ?? body?["errors"]?.array?.first?["message"]?.string ?? "HTTP status \(head.status)"
        let requestID =
            head["x-request-id"] ?? head["x-amzn-trace-id"] ?? head["x-amz-cf-id"] ?? ""
        self.init(
            status: head.status, message: String(message.prefix(Self.messageLengthMax)),
            requestID: requestID, url: url.withoutQuery)
    }
}

extension HTTPHead {
    var isRedirect: Bool { [301, 302, 303, 307, 308].contains(status) }

    /// Whether the body is another than its length and its type say.
    var isEncoded: Bool { self["content-encoding"].map { $0 != "identity" } ?? false }

    /// Statuses that a later try may change. Source: huggingface_hub `http_backoff`.
    var isBusy: Bool { [408, 429, 500, 502, 503, 504].contains(status) }

    /// What the `RateLimit` header says, if there is one.
    var rateLimit: RateLimit? { self["ratelimit"].flatMap { RateLimit($0) } }

    /// How long to wait before another try, if the server says so. Seconds.
    ///
    /// `RateLimit` rounds its seconds down or up, so one more is waited.
    var askedSeconds: Double? {
        if status == 429, let limit = rateLimit, limit.remaining == 0 {
            return limit.secondsToReset + 1
        }
        return self["retry-after"].flatMap { Double($0) }.flatMap { $0 >= 0 ? $0 : nil }
    }
}
