import HubClient
import RepoFS

/// What a daemon tells of a mount that follows its branch.
struct FollowReport: Sendable {
    var intervalSeconds: Double
    /// nil before the first question to the Hub.
    var askedSecondsAgo: Double?
    /// nil while the Hub is asked.
    var nextInSeconds: Double?
    var questionCount: UInt64
    /// How often the mount has gone to another commit.
    var moveCount: UInt64
    /// Why the mount does not show what the branch has now; nil when it does.
    var error: String?

    init(_ status: FollowStatus) {
        intervalSeconds = status.intervalSeconds
        askedSecondsAgo = status.askedSecondsAgo
        nextInSeconds = status.nextInSeconds
        questionCount = status.questionCount
        moveCount = status.moveCount
        error = status.failure.map { Failure($0, isAnonymous: false).sentence }
    }

    var json: JSON {
        .object([
            "intervalSeconds": .number(intervalSeconds),
            "askedSecondsAgo": askedSecondsAgo.map { .number($0) } ?? .null,
            "nextInSeconds": nextInSeconds.map { .number($0) } ?? .null,
            "questions": .count(questionCount), "moves": .count(moveCount),
            "error": .optional(error),
        ])
    }

    /// - Returns: nil when a member is missing or of another type.
    init?(_ json: JSON) {
        guard let interval = json["intervalSeconds"]?.seconds,
            let questions = json["questions"]?.unsigned, let moves = json["moves"]?.unsigned
        else { return nil }
        intervalSeconds = interval
        askedSecondsAgo = json["askedSecondsAgo"]?.seconds
        nextInSeconds = json["nextInSeconds"]?.seconds
        questionCount = questions
        moveCount = moves
        error = json["error"]?.string
    }

    /// `every 30 s; asked 3 s ago, next in 27 s; moved 2 times`, for people.
    func text(of revision: String) -> String {
        let asked = askedSecondsAgo.map { "asked \(Self.brief($0)) ago" } ?? "not asked yet"
        let next = nextInSeconds.map { "next in \(Self.brief($0))" } ?? "asking now"
        let moves = "moved \(moveCount) time\(moveCount == 1 ? "" : "s")"
        return "\(revision), every \(Self.brief(intervalSeconds)); \(asked), \(next); \(moves)"
    }

    private static func brief(_ seconds: Double) -> String {
        guard seconds < 10 else { return readableSpan(seconds: Int64(seconds.rounded())) }
        let tenths = Int64((seconds * 10).rounded())
        return tenths % 10 == 0 ? "\(tenths / 10) s" : "\(tenths / 10).\(tenths % 10) s"
    }
}

extension JSON {
    fileprivate var seconds: Double? {
        switch self {
        case .integer(let number): Double(number)
        case .number(let number): number
        default: nil
        }
    }
}
