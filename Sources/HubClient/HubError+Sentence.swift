extension HubError {
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
        case .offline: "no network is to be used (--offline, HF_HUB_OFFLINE)"
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
