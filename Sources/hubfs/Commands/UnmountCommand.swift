import ArgumentParser
import FuseBridge
import Glibc

struct UnmountCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "umount",
        abstract: "Unmount, and wait for the daemon's end.",
        discussion: """
            Refuses while a process uses the mount, and says which. A mount whose daemon has died is \
            simply removed. For a mount that is read only no network is needed, and the wait is a few seconds \
            at most.

            The edits of a writable mount are committed, and the command waits until they are at the Hub. It \
            ends with 0 only then. Otherwise they are kept, for the next writable mount and for \
            'hubfs recover', and the code says why: 5 the Hub could not be reached, 13 somebody else has \
            changed the same paths, 14 the Hub refuses them. A mount with --commit manual keeps its edits.

            With several directories, or --all, one that cannot be unmounted does not keep the others; the code is \
            that of the first.

            A bare umount commits as well, but nobody waits for it: 'hubfs log DIR' tells how it ended.
            """,
        aliases: ["unmount"])

    @Argument(help: "Where repos are mounted; they are unmounted in this order.")
    var directories: [String] = []

    @Flag(help: "Unmount all that you have mounted, the newest first; for root, everybody's.")
    var all = false

    @Flag(help: "Detach at once; those who use the mount may finish.")
    var lazy = false

    @Flag(help: "Cut the connection first: whoever uses the mount gets an error. For root.")
    var force = false

    @Flag(help: "Keep the edits of a writable mount for the next one, without committing.")
    var noCommit = false

    @Flag(help: "Give up the edits of a writable mount.")
    var discard = false

    @Option(help: "Seconds to wait for the commit; edits that are not at the Hub then are kept.")
    var timeout: Seconds?

    func validate() throws {
        if all == !directories.isEmpty {
            throw ValidationError("Name the directories, or say --all.")
        }
        if noCommit && discard {
            throw ValidationError("--no-commit keeps the edits and --discard gives them up")
        }
    }

    func run() throws(Failure) {
        var failures: [Failure] = []
        for directory in all ? Self.mountsOfThisUser() : directories {
            do throws(Failure) {
                try unmount(directory)
            } catch {
                failures.append(error)
            }
        }
        guard let last = failures.popLast() else { return }
        for failure in failures { writeToStandardError("hubfs: \(failure.sentence)\n") }
        throw Failure((failures.first ?? last).code, last.sentence)
    }

    private func unmount(_ directory: String) throws(Failure) {
        var end = try MountEnd(of: directory)
        end.isLazy = lazy
        end.isForced = force
        if discard || noCommit { end.ending = discard ? .discard : .keep }
        end.patienceSeconds = timeout?.value
        try end.run()
    }

    /// Where this user, or for root anybody, has mounted; what was mounted last comes first.
    private static func mountsOfThisUser() -> [String] {
        let user = geteuid()
        return MountTable.records().reversed()
            .filter { $0.isOurs && (user == 0 || $0.userID == user) }.map(\.mountPoint)
    }
}
