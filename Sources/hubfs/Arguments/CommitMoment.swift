import ArgumentParser
import WriteBack

extension ConflictPolicy: ExpressibleByArgument {}

/// When the edits of a mount are committed by themselves. `hubfs commit` works at any time.
enum CommitMoment: Hashable, Sendable, ExpressibleByArgument {
    /// When the mount ends.
    case unmount
    /// Never: edits stay in the workspace.
    case manual
    /// A few seconds after the last change, and when the mount ends.
    case close
    /// Again and again, if there are edits, and when the mount ends.
    case interval(Seconds)

    init?(argument: String) {
        switch argument {
        case "unmount": self = .unmount
        case "manual": self = .manual
        case "close": self = .close
        default:
            guard let seconds = Seconds(interval: argument) else { return nil }
            self = .interval(seconds)
        }
    }

    /// The word that `init` takes.
    var word: String {
        switch self {
        case .unmount: "unmount"
        case .manual: "manual"
        case .close: "close"
        case .interval(let seconds): "interval:\(seconds.value)"
        }
    }

    /// What becomes of edits when the mount ends.
    var ending: CommitDesk.Ending {
        switch self {
        case .unmount, .close, .interval: .commit
        case .manual: .keep
        }
    }
}
