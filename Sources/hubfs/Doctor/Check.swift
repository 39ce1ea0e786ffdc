import HubClient

/// One line of `hubfs doctor`.
struct Check {
    enum Outcome: String {
        case ok
        case warn
        case fail
    }

    let name: String
    let outcome: Outcome
    /// What was found.
    let finding: String
    /// What to do; nil when nothing has to be done.
    let fix: String?

    static func ok(_ name: String, _ finding: String) -> Check {
        Check(name: name, outcome: .ok, finding: finding, fix: nil)
    }

    static func warn(_ name: String, _ finding: String, fix: String) -> Check {
        Check(name: name, outcome: .warn, finding: finding, fix: fix)
    }

    static func fail(_ name: String, _ finding: String, fix: String) -> Check {
        Check(name: name, outcome: .fail, finding: finding, fix: fix)
    }

    var json: JSON {
        .object([
            "name": .string(name), "outcome": .string(outcome.rawValue),
            "finding": .string(finding), "fix": .optional(fix),
        ])
    }
}
