import HTTPTypes

/// Why a request is not served, and the status, code and words the Hub has for it.
enum Refusal: Error {
    case unknownPath
    case badCredentials
    /// A token of the CAS that is none, or not any more.
    case badXetToken
    /// No such repo, or none the caller may know of; anonymous callers are told to log in.
    case repoNotFound(isAnonymous: Bool)
    case revisionNotFound(String)
    case entryNotFound(commit: String?)
    /// A path a commit wants to delete and that is not there.
    case nothingToDelete(path: String, revision: String)
    case gated(repo: String, isAnonymous: Bool)
    case disabled
    case loginNeeded
    case forbidden(String)
    case badRequest(String)
    case conflict(String, url: String?)
    case branchMoved
    /// What is to be made is there already.
    case preconditionFailed
    case tooLarge(String)
    /// A body without Content-Length where an object store wants one.
    case lengthRequired
    /// Something that is no file and has no code of its own.
    case missing(String)
    /// A pull request that cannot be merged, and because of which files.
    case mergeConflict([String])
    case unprocessable(String)
    case rangeNotSatisfiable(size: Int)
    case urlExpired
    case rateLimited(seconds: Int)

    var status: HTTPResponse.Status {
        switch self {
        case .unknownPath, .revisionNotFound, .entryNotFound, .nothingToDelete, .missing:
            .notFound
        case .badCredentials, .badXetToken, .loginNeeded: .unauthorized
        case .repoNotFound(let isAnonymous): isAnonymous ? .unauthorized : .notFound
        case .gated(_, let isAnonymous): isAnonymous ? .unauthorized : .forbidden
        case .disabled, .forbidden, .urlExpired: .forbidden
        case .badRequest: .badRequest
        case .conflict, .mergeConflict: .conflict
        case .lengthRequired: .lengthRequired
        case .branchMoved, .preconditionFailed: .preconditionFailed
        case .tooLarge: .contentTooLarge
        case .unprocessable: .unprocessableContent
        case .rangeNotSatisfiable: .rangeNotSatisfiable
        case .rateLimited: .tooManyRequests
        }
    }

    /// `X-Error-Code`. The live Hub sends none with a 401; over plain http its client then does
    /// not know the repo is meant, so this one does.
    var code: String? {
        switch self {
        case .repoNotFound: "RepoNotFound"
        case .revisionNotFound: "RevisionNotFound"
        case .entryNotFound, .nothingToDelete: "EntryNotFound"
        case .gated: "GatedRepo"
        default: nil
        }
    }

    var message: String {
        switch self {
        case .unknownPath: "Sorry, we can't find the page you are looking for."
        case .badCredentials: "Invalid credentials in Authorization header"
        case .badXetToken: "Invalid or expired token"
        case .repoNotFound(isAnonymous: true), .loginNeeded: "Invalid username or password."
        case .repoNotFound(isAnonymous: false): "Repository not found"
        case .revisionNotFound(let revision): "Invalid rev id: \(revision)"
        case .entryNotFound: "Entry not found"
        case .nothingToDelete(let path, let revision):
            "A file with the name \"\(path)\" doesn't exist on revision \"\(revision)\""
        case .gated(let repo, isAnonymous: true):
            "Access to \(repo) is restricted. You must have access to it and be authenticated "
                + "to access it. Please log in."
        case .gated(let repo, isAnonymous: false):
            "Access to \(repo) is restricted and you are not in the authorized list. "
                + "Ask for access first."
        case .disabled: "Access to this resource is disabled."
        case .forbidden(let text), .badRequest(let text), .conflict(let text, _),
            .tooLarge(let text), .unprocessable(let text), .missing(let text):
            text
        case .lengthRequired: "You must provide the Content-Length HTTP header."
        case .mergeConflict(let files):
            "The pull request has conflicts with its base in \(files.joined(separator: ", "))"
        case .branchMoved: "A commit has happened since. Please refresh and try again."
        case .preconditionFailed: "At least one of the preconditions did not hold"
        case .rangeNotSatisfiable: "Range not satisfiable"
        case .urlExpired: "Request has expired"
        case .rateLimited: "We had to rate limit you. Please retry later."
        }
    }

    static let repositoryIsBusy = Refusal.conflict(
        "Another commit operation is in progress for this repository. Please try again later.",
        url: nil)

    /// As an object store says it: two ways to be let in are one too many.
    static let twoAuthorizations = Refusal.badRequest("Only one auth mechanism allowed")

    /// - Parameter isText: resolve and the CDN answer in plain text, the API in JSON.
    func answer(isText: Bool) throws -> Answer {
        var headers: HTTPFields = [.errorMessage: Self.headerText(message)]
        headers[.errorCode] = code
        switch self {
        case .repoNotFound(isAnonymous: true), .loginNeeded, .gated(_, isAnonymous: true):
            headers[.wwwAuthenticate] = "Bearer realm=\"Authentication required\""
        case .entryNotFound(let commit):
            headers[.repoCommit] = commit
        case .rangeNotSatisfiable(let size):
            headers[.contentRange] = "bytes */\(size)"
        default: break
        }
        if isText { return .text(status, message, headers: headers) }
        var body: [String: JSONValue] = ["error": .string(message)]
        switch self {
        case .conflict(_, let url?): body["url"] = .string(url)
        case .mergeConflict(let files):
            body["filesWithConflicts"] = .array(files.map(JSONValue.string))
        default: break
        }
        return try .json(body, status, headers: headers)
    }

    /// Header values are one line of visible ASCII.
    static func headerText(_ text: String) -> String {
        String(decoding: text.utf8.map { (0x20..<0x7f).contains($0) ? $0 : 0x3f }, as: UTF8.self)
    }
}
