/// Why a question to the Hub has no answer, after every retry the policy allows.
///
/// Each case carries what a log line needs. RepoFS turns them into errno in one table
/// (`ErrnoMapping`, docs/ERRORS.md).
package enum HubError: Error, Hashable, Sendable {
    /// What the Hub said when it refused: shown to users and logged.
    package struct Refusal: Hashable, Sendable {
        package let status: Int
        /// `X-Error-Message`, else the body's `error`, else the status text.
        package let message: String
        /// `X-Request-Id` or its fallbacks; empty when the Hub sent none.
        package let requestID: String
        /// The URL asked for, without query, so that no signature is ever logged.
        package let url: String

        package init(status: Int, message: String, requestID: String, url: String) {
            self.status = status
            self.message = message
            self.requestID = requestID
            self.url = url
        }
    }

    /// 404 RepoNotFound, and 401 on a repo for an anonymous user: absent or hidden.
    case repoNotFound(Refusal)
    /// 404 RevisionNotFound.
    case revisionNotFound(Refusal)
    /// 404 EntryNotFound: the path is absent at that revision.
    case entryNotFound(Refusal)
    /// Gated repo without access.
    case gated(Refusal)
    /// 401 for a token the Hub does not know.
    case badToken(Refusal)
    /// Any other 401 or 403.
    case forbidden(Refusal)
    /// 429 after the retries, or refused by our own gate because the quota is spent.
    case rateLimited(Refusal)
    /// Any other unexpected status, 5xx after the retries included.
    case status(Refusal)
    /// No connection, a broken one, or no progress within the time-out, after the retries.
    case unreachable(url: String, reason: String)
    /// The answer does not fit the protocol: no JSON, a missing header, a wrong Content-Range.
    case malformed(url: String, reason: String)
    /// The user asked for no network (`HF_HUB_OFFLINE`), or the request was cancelled at shutdown.
    case offline
    /// The caller cancelled the request.
    case cancelled
}
