import Glibc
import HubClient
import Platform
import SystemPackage

/// A connection to the daemon of one mount.
struct ControlClient {
    /// Why a daemon gives no answer.
    enum Silence: Error {
        /// No socket: another user's mount, or one made in another environment.
        case noSocket
        /// The daemon has died.
        case dead
        /// The daemon does not answer in time.
        case hangs
        /// The answer is not one this version understands.
        case unknownAnswer

        /// In words for `hubfs status`.
        var sentence: String {
            switch self {
            case .noSocket: "no control socket found: mounted by another user?"
            case .dead: "its daemon has died: hubfs umount removes the mount"
            case .hangs: "its daemon does not answer"
            case .unknownAnswer: "its daemon is of another version of hubfs"
            }
        }
    }

    private let socket: FileDescriptor

    /// Connects to the daemon of a mount, through the first of the folders that has its socket.
    ///
    /// Sockets that nobody serves any more are removed.
    init(mountPoint: String, folders: [ControlFolder]) throws(Silence) {
        var silence = Silence.noSocket
        for folder in folders {
            do throws(Silence) {
                self = try ControlClient(socketPath: folder.socket(of: mountPoint))
                return
            } catch .noSocket {
                continue
            } catch {
                silence = error
            }
        }
        throw silence
    }

    init(socketPath: FilePath) throws(Silence) {
        do throws(Errno) {
            socket = try ControlSocket.connect(to: socketPath)
        } catch .noSuchFileOrDirectory {
            throw .noSocket
        } catch .connectionRefused {
            unlink(socketPath.string)
            throw .dead
        } catch {
            throw .hangs
        }
    }

    /// The daemon's process, also of one that does not answer.
    var daemon: pid_t? { try? ControlSocket.peer(socket).process }

    func ask(_ question: ControlQuestion) throws(Silence) {
        do throws(Errno) {
            try ControlSocket.send(question.line, over: socket)
        } catch {
            throw .hangs
        }
    }

    /// The answer to `status`.
    func status(until deadline: MonotonicInstant) throws(Silence) -> MountStatus {
        try answer("status", until: deadline) { MountStatus($0) }
    }

    /// The answer to `stats`.
    func figures(until deadline: MonotonicInstant) throws(Silence) -> MountFigures {
        try answer("stats", until: deadline) { MountFigures($0) }
    }

    private func answer<Value>(
        _ member: String, until deadline: MonotonicInstant, _ read: (JSON) -> Value?
    ) throws(Silence) -> Value {
        let line: [UInt8]?
        do throws(Errno) {
            line = try ControlSocket.receiveLine(from: socket, until: deadline)
        } catch {
            throw error == .timedOut ? .hangs : .dead
        }
        guard let line else { throw .dead }
        guard let value = JSON(line)?[member].flatMap(read) else { throw .unknownAnswer }
        return value
    }

    /// The answer to `commit` and `finish`, which takes as long as the commit does.
    ///
    /// - Parameters:
    ///   - deadline: When to give up with `.hangs`; nil waits as long as the daemon lives.
    ///   - whileWaiting: Called about twice a second; false gives up too.
    func commitResult(
        until deadline: MonotonicInstant?, whileWaiting: () -> Bool
    ) throws(Silence) -> CommitResult {
        var line: [UInt8]?
        while true {
            if let deadline, .now >= deadline { throw .hangs }
            do throws(Errno) {
                line = try ControlSocket.receiveLine(
                    from: socket, until: .now.advanced(bySeconds: 0.5))
                break
            } catch .timedOut {
                if !whileWaiting() { throw .hangs }
            } catch {
                throw .dead
            }
        }
        guard let line else { throw .dead }
        guard let result = JSON(line)?["commit"].flatMap({ CommitResult($0) }) else {
            throw .unknownAnswer
        }
        return result
    }

    /// The lines that answer `edits` and `diff`.
    func lines() -> ControlLineReader { ControlLineReader(socket) }

    /// Waits for the daemon's end, after `ask(.end)`.
    ///
    /// - Returns: false when it has not ended by then.
    func waitForEnd(until deadline: MonotonicInstant) -> Bool {
        do throws(Errno) {
            try ControlSocket.waitToReceive(socket, until: deadline)
            return true
        } catch {
            return error != .timedOut
        }
    }

    func close() {
        try? socket.close()
    }
}
