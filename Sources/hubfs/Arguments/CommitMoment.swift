import ArgumentParser
import WriteBack

extension ConflictPolicy: ExpressibleByArgument {}

/// When the edits of a mount are committed by themselves. `hubfs commit` works at any time.
enum CommitMoment: String, ExpressibleByArgument, CaseIterable {
    case unmount
    case manual

    /// What becomes of edits when the mount ends.
    var ending: CommitDesk.Ending {
        switch self {
        case .unmount: .commit
        case .manual: .keep
        }
    }
}
