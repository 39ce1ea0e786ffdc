import HTTPTypes
import NIOCore

/// Large bodies, pulled piece by piece.
protocol BodyPieces: Sendable {
    /// The next bytes, at most `max`; never empty before the end.
    func next(max: Int) async throws -> ByteBuffer
}

/// A body without a known length; an empty piece is its end.
protocol BodyStream: BodyPieces {
    /// Nothing more is sent, for whatever reason.
    func end()
}

/// A body, of known length as a rule.
enum AnswerBody: Sendable {
    case bytes(ByteBuffer)
    case pieces(count: Int, any BodyPieces)
    case stream(any BodyStream)

    static var empty: AnswerBody { .bytes(ByteBuffer()) }

    /// Its length, or more than any.
    var count: Int {
        switch self {
        case .bytes(let buffer): buffer.readableBytes
        case .pieces(let count, _): count
        case .stream: .max
        }
    }
}

/// What a handler answers; `Delivery` puts it on the wire.
struct Answer: Sendable {
    var status: HTTPResponse.Status
    var headers: HTTPFields
    var body: AnswerBody

    init(
        _ status: HTTPResponse.Status, headers: HTTPFields = [:], body: AnswerBody = .empty
    ) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    static func text(
        _ status: HTTPResponse.Status, _ text: String, headers: HTTPFields = [:]
    ) -> Answer {
        var headers = headers
        headers[.contentType] = "text/plain; charset=utf-8"
        return Answer(status, headers: headers, body: .bytes(ByteBuffer(string: text)))
    }

    static func json(
        _ value: some Encodable, _ status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]
    ) throws -> Answer {
        var headers = headers
        headers[.contentType] = "application/json; charset=utf-8"
        let bytes = try JSONText.encode(value)
        return Answer(status, headers: headers, body: .bytes(ByteBuffer(bytes: bytes)))
    }
}

extension HTTPField.Name {
    static let errorCode = name("X-Error-Code")
    static let errorMessage = name("X-Error-Message")
    static let requestID = name("X-Request-Id")
    static let repoCommit = name("X-Repo-Commit")
    static let linkedETag = name("X-Linked-ETag")
    static let linkedSize = name("X-Linked-Size")
    static let xetHash = name("X-Xet-Hash")
    static let xetCASURL = name("X-Xet-Cas-Url")
    static let xetAccessToken = name("X-Xet-Access-Token")
    static let xetTokenExpiration = name("X-Xet-Token-Expiration")
    static let rangeDirty = name("X-Range-Dirty")
    static let totalCount = name("X-Total-Count")
    static let link = name("Link")
    static let rateLimit = name("RateLimit")
    static let rateLimitPolicy = name("RateLimit-Policy")
    static let contentSecurityPolicy = name("Content-Security-Policy")
    static let exposeHeaders = name("Access-Control-Expose-Headers")

    private static func name(_ text: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(text) else {
            preconditionFailure("\(text) is a header name")
        }
        return name
    }
}
