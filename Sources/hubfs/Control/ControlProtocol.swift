import HubClient
import WriteBack

/// What is said over a control socket: one line of JSON asks, one line of JSON answers.
///
///     -> {"hubfs":1,"ask":"status"}
///     <- {"hubfs":1,"status":{…}}
///
///     -> {"hubfs":1,"ask":"stats"}
///     <- {"hubfs":1,"stats":{…}}
///
///     -> {"hubfs":1,"ask":"commit","title":"Fix the config","description":""}
///     <- {"hubfs":1,"commit":{…}}
///
/// `end` is answered by the connection itself: it is closed when the daemon ends. `ending` says what
/// becomes of edits when the mount ends, and is answered by the status; `finish` does that now, and
/// `outcome` waits until it was done, also by the daemon itself: after unmounting it may be gone before
/// anybody can ask.
/// `pull` moves to the head of the branch; `discard` gives edits up; `resolve` decides conflicts. They
/// are answered as `commit` is.
/// A request of another version, or one that is not understood, is answered by
/// `{"hubfs":1,"error":"…"}`.
///
/// What is edited can be a long list, and it can take the network to know it. `edits` and `diff` are
/// answered by as many lines as it takes, of which the last has the sums, or says why there are none:
///
///     -> {"hubfs":1,"ask":"edits"}
///     <- {"hubfs":1,"edit":{…}}
///     <- {"hubfs":1,"localOnly":{…}}
///     <- {"hubfs":1,"conflict":{…}}
///     <- {"hubfs":1,"sums":{…}}
///
///     -> {"hubfs":1,"ask":"diff","paths":["data"],"text":true}
///     <- {"hubfs":1,"edit":{…}}
///     <- {"hubfs":1,"text":"@@ -1 +1 @@…"}       of the edit before, in pieces
///     <- {"hubfs":1,"failure":{"code":6,"message":"…"}}
///
/// No line of either side is longer than `ControlSocket.lineBytesMax`: whoever reads one needs no
/// more memory, and gives up on a peer that sends more. Long answers are many lines, long texts are
/// sent in pieces of `textPieceBytes`, and paths of more than `pathBytesMax` are cut when shown.
enum ControlQuestion {
    case status
    case stats
    case end
    case commit(CommitWish)
    /// - Parameter ending: nil for what was said when it was mounted.
    case ending(CommitDesk.Ending?)
    case finish
    case outcome
    case pull
    /// - Parameter paths: From the mounted directory; "" for everything.
    case discard(paths: [String])
    /// - Parameter paths: From the mounted directory; "" for every conflict.
    case resolve(paths: [String], side: ConflictSide)
    /// - Parameter paths: From the mounted directory: what a commit of them would have; none for
    ///   everything.
    case edits(paths: [String])
    /// - Parameter paths: From the mounted directory; none for everything.
    case diff(paths: [String], withText: Bool)

    static let version: Int64 = 1

    /// Bytes of a text sent in one line: escaped, a byte can become six.
    static let textPieceBytes = 8 << 10
    /// A line has up to two paths.
    static let pathBytesMax = 4 << 10

    /// The line that asks this.
    var line: String {
        var members: [String: JSON] = ["hubfs": .integer(Self.version)]
        switch self {
        case .status: members["ask"] = .string("status")
        case .stats: members["ask"] = .string("stats")
        case .end: members["ask"] = .string("end")
        case .finish: members["ask"] = .string("finish")
        case .outcome: members["ask"] = .string("outcome")
        case .pull: members["ask"] = .string("pull")
        case .discard(let paths):
            members["ask"] = .string("discard")
            members["paths"] = .array(paths.map { .string($0) })
        case .resolve(let paths, let side):
            members["ask"] = .string("resolve")
            members["paths"] = .array(paths.map { .string($0) })
            members["side"] = .string(side.rawValue)
        case .edits(let paths):
            members["ask"] = .string("edits")
            members["paths"] = .array(paths.map { .string($0) })
        case .diff(let paths, let withText):
            members["ask"] = .string("diff")
            members["paths"] = .array(paths.map { .string($0) })
            members["text"] = .bool(withText)
        case .ending(let ending):
            members["ask"] = .string("ending")
            members["ending"] = .optional(ending?.rawValue)
        case .commit(let wish):
            members["ask"] = .string("commit")
            members.merge(wish.members) { $1 }
        }
        return JSON.object(members).line
    }

    /// - Returns: nil when the line is of another version or not understood.
    init?(line: [UInt8]) {
        guard let json = JSON(line), json["hubfs"]?.integer == Self.version else { return nil }
        switch json["ask"]?.string {
        case "status": self = .status
        case "stats": self = .stats
        case "end": self = .end
        case "finish": self = .finish
        case "outcome": self = .outcome
        case "pull": self = .pull
        case "discard":
            guard let paths = json["paths"]?.array?.compactMap(\.string) else { return nil }
            self = .discard(paths: paths)
        case "resolve":
            guard let paths = json["paths"]?.array?.compactMap(\.string),
                let side = json["side"]?.string.flatMap(ConflictSide.init(rawValue:))
            else { return nil }
            self = .resolve(paths: paths, side: side)
        case "edits": self = .edits(paths: json["paths"]?.array?.compactMap(\.string) ?? [])
        case "diff":
            self = .diff(
                paths: json["paths"]?.array?.compactMap(\.string) ?? [],
                withText: json["text"]?.bool ?? false)
        case "ending":
            guard let text = json["ending"]?.string else {
                self = .ending(nil)
                return
            }
            guard let ending = CommitDesk.Ending(rawValue: text) else { return nil }
            self = .ending(ending)
        case "commit":
            self = .commit(CommitWish(json))
        default: return nil
        }
    }

    /// The line that answers `commit`, `finish` and `pull`.
    static func answer(commit: CommitResult) -> String {
        JSON.object(["hubfs": .integer(version), "commit": commit.json]).line
    }

    /// The line that answers `status`.
    static func answer(status: MountStatus) -> String {
        JSON.object(["hubfs": .integer(version), "status": status.json]).line
    }

    /// The line that answers `stats`.
    static func answer(figures: MountFigures) -> String {
        JSON.object(["hubfs": .integer(version), "stats": figures.json]).line
    }

    /// The line that answers a question nobody understands.
    static func answer(error: String) -> String {
        JSON.object(["hubfs": .integer(version), "error": .string(error)]).line
    }
}
