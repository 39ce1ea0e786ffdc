import HubClient

/// What is said over a control socket: one line of JSON asks, one line of JSON answers.
///
///     -> {"hubfs":1,"ask":"status"}
///     <- {"hubfs":1,"status":{…}}
///
///     -> {"hubfs":1,"ask":"commit","title":"Fix the config","description":""}
///     <- {"hubfs":1,"commit":{…}}
///
/// `end` is answered by the connection itself: it is closed when the daemon ends. `ending` says what
/// becomes of edits when the mount ends, and is answered by the status; `finish` does that now.
/// `pull` moves to the head of the branch; both are answered as `commit` is. A
/// request of another version, or one that is not understood, is answered by
/// `{"hubfs":1,"error":"…"}`.
enum ControlQuestion {
    case status
    case end
    case commit(CommitWish)
    case ending(CommitDesk.Ending)
    case finish
    case pull

    static let version: Int64 = 1

    /// The line that asks this.
    var line: String {
        var members: [String: JSON] = ["hubfs": .integer(Self.version)]
        switch self {
        case .status: members["ask"] = .string("status")
        case .end: members["ask"] = .string("end")
        case .finish: members["ask"] = .string("finish")
        case .pull: members["ask"] = .string("pull")
        case .ending(let ending):
            members["ask"] = .string("ending")
            members["ending"] = .string(ending.rawValue)
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
        case "end": self = .end
        case "finish": self = .finish
        case "pull": self = .pull
        case "ending":
            guard let ending = json["ending"]?.string.flatMap(CommitDesk.Ending.init(rawValue:))
            else { return nil }
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

    /// The line that answers a question nobody understands.
    static func answer(error: String) -> String {
        JSON.object(["hubfs": .integer(version), "error": .string(error)]).line
    }
}
