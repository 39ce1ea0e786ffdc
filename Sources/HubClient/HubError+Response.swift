package import HTTPTransport

extension HubError {
    /// The error an answer with a status of 400 and above stands for.
    ///
    /// First match wins, as in the official client: the error code, then the status.
    package init(status: Int, head: HTTPResponseHead, body: [UInt8], url: String) {
        let refusal = Refusal(
            status: status,
            message: head["x-error-message"] ?? Self.message(in: body) ?? "status \(status)",
            requestID: head["x-request-id"] ?? head["x-amzn-trace-id"] ?? head["x-amz-cf-id"]
                ?? "",
            url: url)
        switch head["x-error-code"] {
        case "RevisionNotFound": self = .revisionNotFound(refusal)
        case "EntryNotFound": self = .entryNotFound(refusal)
        case "GatedRepo": self = .gated(refusal)
        case "RepoNotFound": self = .repoNotFound(refusal)
        default:
            switch status {
            case 401 where refusal.message.hasPrefix("Invalid credentials"):
                self = .badToken(refusal)
            case 401: self = .repoNotFound(refusal)
            case 403: self = .forbidden(refusal)
            case 429: self = .rateLimited(refusal)
            default: self = .status(refusal)
            }
        }
    }

    private static func message(in body: [UInt8]) -> String? {
        guard let json = JSON(body) else { return nil }
        return json["error"]?.string ?? json["errors"]?.array?.first?["message"]?.string
    }

    /// One sentence for people: what happened and, where there is something to do, what.
    package var sentence: String {
        switch self {
        case .repoNotFound(let refusal):
            "the Hub knows no such repo, or hides it from this token (\(refusal.detail))"
        case .revisionNotFound(let refusal):
            "the repo has no such branch, tag or commit (\(refusal.detail))"
        case .entryNotFound(let refusal): "the commit has no such path (\(refusal.detail))"
        case .gated(let refusal):
            "the repo is gated: ask for access on its page and use your token (\(refusal.detail))"
        case .badToken(let refusal):
            "the Hub does not accept the token: make a new one in your settings (\(refusal.detail))"
        case .forbidden(let refusal): "the Hub refuses access (\(refusal.detail))"
        case .rateLimited(let refusal):
            "the Hub's rate limit is used up: wait, or use a token (\(refusal.detail))"
        case .status(let refusal): "the Hub failed (\(refusal.detail))"
        case .unreachable(let url, let reason): "\(url) cannot be reached: \(reason)"
        case .malformed(let url, let reason): "\(url) answered what cannot be used: \(reason)"
        case .offline: "no network is to be used (HF_HUB_OFFLINE)"
        case .cancelled: "the request was cancelled"
        }
    }
}

extension HubError.Refusal {
    fileprivate var detail: String {
        let id = requestID.isEmpty ? "" : ", request \(requestID)"
        return "\(status) from \(url): \(message)\(id)"
    }
}
