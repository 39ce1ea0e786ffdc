import ArgumentParser
import HubClient
import WriteBack

/// When the edits of a mounted bucket are sent. `hubfs flush` works at any time, and the end of the mount
/// sends what is left.
enum FlushMoment: Hashable, Sendable, ExpressibleByArgument {
    /// Soon after the last change, and at the latest half a minute after the first.
    case close
    /// Again and again, if there are edits.
    case interval(Seconds)
    /// When a program asks for its file to be safe: fsync(2) returns when the bucket has it.
    case fsync
    /// When the mount ends.
    case unmount

    init?(argument: String) {
        switch argument {
        case "close": self = .close
        case "fsync": self = .fsync
        case "unmount": self = .unmount
        default:
            guard let seconds = Seconds(interval: argument) else { return nil }
            self = .interval(seconds)
        }
    }

    /// The word that `init` takes.
    var word: String {
        switch self {
        case .close: "close"
        case .interval(let seconds): "interval:\(seconds.value)"
        case .fsync: "fsync"
        case .unmount: "unmount"
        }
    }

    /// How edits are sent while the mount lives; nil: not by themselves.
    var pace: CommitPace? {
        switch self {
        case .close: .bucket
        case .interval(let seconds): CommitPace(intervalSeconds: seconds.value)
        case .fsync, .unmount: nil
        }
    }
}

extension MountFlags {
    /// Refuses what makes no sense of a bucket, or of a repo.
    ///
    /// - Throws: `Failure` with code `usage`.
    func check(showsBucket: Bool) throws(Failure) {
        guard showsBucket else {
            if follow != nil, writable {
                throw Failure(
                    .usage,
                    "--follow goes without -w: what is edited moves only when 'hubfs pull' or a commit says so"
                )
            }
            if flush == nil { return }
            throw Failure(
                .usage, "--flush is for buckets: of a repo, --commit says when edits are sent")
        }
        let ofRepos: [(String, Bool)] = [
            ("--commit", commit != .unmount), ("--message", message != nil),
            ("--branch", branch != nil), ("--create-branch", createBranch),
            ("--create-pr", createPr), ("--on-conflict pr", onConflict == .pr),
            ("--on-conflict branch", onConflict == .branch),
        ]
        if let option = ofRepos.first(where: \.1)?.0 {
            let advice = option == "--commit" ? ": --flush says when edits are sent" : ""
            throw Failure(
                .usage,
                "\(option) is for repos, a bucket has neither commits nor branches\(advice)")
        }
        if !writable, flush != nil { throw Failure(.usage, "--flush goes with -w") }
    }

    /// How edits are sent while the mount lives; nil: not by themselves.
    func pace(of repo: RepoID) -> CommitPace? {
        repo.kind == .bucket ? (flush ?? .close).pace : commit.pace
    }

    /// How often what is mounted is asked for what others did; nil: never. A bucket has nothing that stays
    /// as it is.
    func followSeconds(of repo: RepoID) -> Double? {
        follow?.value ?? (repo.kind == .bucket ? Self.bucketSeconds : nil)
    }

    private static let bucketSeconds = 30.0
}
