#if DEBUG
    import Glibc
    import Synchronization
#endif

/// Places at which a debug build ends itself as a crash would, so that tests see what each leaves.
///
/// `HUBFS_CRASH_AT=NAME` kills the process when it gets to that place, `NAME:N` when it gets there
/// for the N-th time. A release build has none of it.
package enum CrashPoint: String, CaseIterable, Sendable {
    /// The bytes of an edit are as it wants them; the journal does not know.
    case editing

    // In the order of a commit.

    /// Files are sealed in memory alone.
    case sealed
    /// The journal knows what is sealed; it is not on disk yet.
    case sealJournalled = "seal-journalled"
    /// Sealed bytes are on disk.
    case sealSynced = "seal-synced"
    /// All changed files are whole, and their names are known.
    case hashed
    /// The Hub has said how it wants each file.
    case preuploaded
    /// Bytes of an object are on their way; passed for each piece.
    case uploading
    /// The content-addressed store has a xorb; passed for each.
    case xorbStored = "xorb-stored"
    /// It has all of them, and knows no file.
    case xorbsStored = "xorbs-stored"
    /// An LFS object has arrived.
    case objectUploaded = "object-uploaded"
    /// All of them have.
    case uploaded
    /// The body of the commit is written; the plan is not on disk.
    case spooled
    /// The plan is on disk, and nothing is sent.
    case planned
    /// The Hub has answered, and nobody has looked at the answer.
    case posted
    /// The answer says that the commit is made.
    case answered
    /// The Hub shows what was planned.
    case verified
    /// All is known that the workspace needs to stand on the commit.
    case settling
    /// The journal says that it does, the memory does not.
    case settleJournalled = "settle-journalled"
    /// The workspace stands on the commit; the cache has none of its bytes.
    case settled
    /// The cache has them.
    case adopted
    /// What stays in the workspace can be edited on.
    case thawed

    // In the order of a pull.

    /// What others changed is known and touches no edit.
    case pulling
    /// The journal stands on their commit, the memory does not.
    case moveJournalled = "move-journalled"
    /// The mount shows their commit.
    case moved

    // In the order of a resolve; it moves as a pull does.

    /// What others did since the base is known; nothing is decided.
    case resolving
    /// The conflicts are decided, and nobody was told.
    case resolved

    // Where commits go.

    /// The Hub has the new branch; the journal does not know.
    case branchMade = "branch-made"
    /// The journal knows that commits go elsewhere from now on.
    case followed

    /// Ends the process if this is where it is to crash.
    @inline(__always)
    func pass() {
        #if DEBUG
            Self.armed?.passed(self)
        #endif
    }

    /// What is wrong with `HUBFS_CRASH_AT`; nil when it is not set, names a place, or means nothing in
    /// this build.
    package static var complaint: String? {
        #if DEBUG
            guard let text = getenv("HUBFS_CRASH_AT").map({ String(cString: $0) }), armed == nil
            else { return nil }
            let names = allCases.map(\.rawValue).joined(separator: ", ")
            return
                "HUBFS_CRASH_AT=\(text) names no crash point; NAME or NAME:N, NAME one of \(names)"
        #else
            return nil
        #endif
    }
}

#if DEBUG
    extension CrashPoint {
        /// Where this process is to crash, and how often it is to get there before.
        private final class Armed: Sendable {
            private let point: CrashPoint
            private let passesLeft: Atomic<Int>

            /// - Parameter text: `NAME` or `NAME:N`.
            init?(_ text: String) {
                let words = text.split(separator: ":", omittingEmptySubsequences: false)
                let count = words.count == 2 ? Int(words[1]) : 1
                guard words.count <= 2, let point = CrashPoint(rawValue: String(words[0])),
                    let count, count > 0
                else { return nil }
                self.point = point
                passesLeft = Atomic(count)
            }

            func passed(_ point: CrashPoint) {
                guard point == self.point else { return }
                let left = passesLeft.subtract(1, ordering: .relaxed).newValue
                if left == 0 { kill(getpid(), SIGKILL) }
            }
        }

        private static let armed = getenv("HUBFS_CRASH_AT").flatMap { Armed(String(cString: $0)) }
    }
#endif
