import Glibc
import Logging
import Platform
import RepoFS
import SystemPackage

/// Answers `hubfs status`, `hubfs stats` and `hubfs umount` for one mount, on a thread of its own.
///
/// Only the mount's user and root are answered. A peer that sends nothing holds the others up for a
/// second at most.
final class ControlServer: Sendable {
    private static let patienceSeconds = 1.0
    /// Peers that wait for the end; of more, the oldest is let go.
    private static let waitingCountMax = 64

    private let path: FilePath
    private let socket: FileDescriptor
    /// Ours, so that the socket of a successor at the same mount point is not removed.
    private let inode: UInt64
    private let thread: Thread

    /// Listens at `path` and answers by `readers`.
    ///
    /// - Parameters:
    ///   - desks: Take commits and tell of edits; nil on a mount that is read only.
    ///   - follower: Pulls, on a mount that follows its branch.
    init(
        at path: FilePath, logger: Logger, desks: EditingDesks?, follower: BranchFollower?,
        readers: MountReaders
    ) throws(Failure) {
        self.path = path
        do throws(Errno) {
            socket = try ControlSocket.listen(at: path)
        } catch {
            throw Failure(.localStorage, "no control socket at \(path): \(error)")
        }
        inode = Self.inode(of: path)
        let socket = self.socket
        thread = Thread(name: "hubfs-control") {
            Self.serve(socket, logger: logger, desks, follower, readers)
        }
    }

    /// Stops answering. Peers that wait for the end learn it when the process ends.
    func close() {
        if Self.inode(of: path) == inode { unlink(path.string) }
        // Wakes accept, which ends with EINVAL.
        shutdown(socket.rawValue, Int32(SHUT_RDWR))
        thread.join()
        try? socket.close()
    }

    private static func serve(
        _ socket: FileDescriptor, logger: Logger, _ desks: EditingDesks?,
        _ follower: BranchFollower?, _ readers: MountReaders
    ) {
        var waiting: [FileDescriptor] = []
        while true {
            let accepted: FileDescriptor
            do throws(Errno) {
                let number = try check { Int(accept(socket.rawValue, nil, nil)) }
                accepted = FileDescriptor(rawValue: Int32(number))
                try accepted.closeOnExec()
            } catch .invalidArgument {
                return  // `close` has shut the socket down
            } catch {
                // Such as too many open files, which passes.
                logger.warning("a control connection is lost: \(error)")
                usleep(100_000)
                continue
            }
            do throws(Errno) {
                switch try answer(accepted, desks, follower, readers) {
                case .answered: break
                case .atTheEnd:
                    waiting.append(accepted)
                    if waiting.count > waitingCountMax { try? waiting.removeFirst().close() }
                    continue
                case .later: continue
                }
            } catch {
                logger.debug("a control connection failed: \(error)")
            }
            try? accepted.close()
        }
    }

    /// What is left to do with a connection.
    private enum Rest {
        case answered
        /// It is closed when the process ends.
        case atTheEnd
        /// Somebody else answers and closes it.
        case later
    }

    private static func answer(
        _ peer: FileDescriptor, _ desks: EditingDesks?, _ follower: BranchFollower?,
        _ readers: MountReaders
    ) throws(Errno) -> Rest {
        let user = try ControlSocket.peerUser(peer)
        guard user == geteuid() || user == 0 else { return .answered }
        let deadline = MonotonicInstant.now.advanced(bySeconds: patienceSeconds)
        guard let line = try ControlSocket.receiveLine(from: peer, until: deadline) else {
            return .answered
        }
        guard let question = ControlQuestion(line: line) else {
            let error = "not understood; this is hubfs control version \(ControlQuestion.version)"
            try ControlSocket.send(ControlQuestion.answer(error: error), over: peer)
            return .answered
        }
        switch question {
        case .status:
            try ControlSocket.send(ControlQuestion.answer(status: readers.status()), over: peer)
            return .answered
        case .stats:
            try ControlSocket.send(ControlQuestion.answer(figures: readers.figures()), over: peer)
            return .answered
        case .end: return .atTheEnd
        case .commit, .ending, .finish, .outcome, .pull, .discard, .resolve, .edits, .diff:
            if case .pull = question, let follower {
                follower.pull { answer(CommitResult($0), over: peer) }
                return .later
            }
            guard let desks else {
                try ControlSocket.send(
                    ControlQuestion.answer(error: "this mount is read only"), over: peer)
                return .answered
            }
            return try answer(question, of: peer, desks, readers)
        }
    }

    /// Answers what only a writable mount can be asked.
    private static func answer(
        _ question: ControlQuestion, of peer: FileDescriptor, _ desks: EditingDesks,
        _ readers: MountReaders
    ) throws(Errno) -> Rest {
        switch question {
        case .status, .stats, .end: preconditionFailure("asked of every mount")
        case .ending(let ending):
            desks.commits.setEnding(ending)
            try ControlSocket.send(ControlQuestion.answer(status: readers.status()), over: peer)
            return .answered
        case .commit(let wish): desks.commits.commit(wish) { answer($0, over: peer) }
        case .finish: desks.commits.finish { answer($0, over: peer) }
        case .outcome: desks.commits.onFinish { answer($0, over: peer) }
        case .pull: desks.commits.pull { answer($0, over: peer) }
        case .discard(let paths): desks.commits.discard(paths) { answer($0, over: peer) }
        case .resolve(let paths, let side):
            desks.commits.resolve(paths, for: side) { answer($0, over: peer) }
        case .edits(let paths): desks.looks.sendEdits(at: paths, over: peer)
        case .diff(let paths, let withText):
            desks.looks.sendDifferences(at: paths, withText: withText, over: peer)
        }
        return .later
    }

    private static func answer(_ result: CommitResult, over peer: FileDescriptor) {
        // A peer that has gone does not need to know.
        try? ControlSocket.send(ControlQuestion.answer(commit: result), over: peer)
        try? peer.close()
    }

    private static func inode(of path: FilePath) -> UInt64 {
        (try? FileFacts(path, followsLinks: false))?.inode ?? 0
    }
}
