import CLinux
import Glibc
import SystemPackage

/// A program that stands for this process: it gets the signals meant for us, and its end is ours.
///
/// It stays in our process group, so that the terminal is its too. It does not outlive us: the kernel
/// kills it when we are killed.
struct ChildCommand {
    private let words: [String]

    /// A shell's codes for a program that cannot be run, and for one that is not there.
    private static let notRunnable: Int32 = 126
    private static let notFound: Int32 = 127

    /// - Parameter words: The program, as PATH finds it, and its arguments.
    init(_ words: [String]) { self.words = words }

    /// What is passed on, and what is needed to wait.
    private static let signals: sigset_t = {
        let numbers = [
            SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGWINCH, SIGTSTP, SIGCONT,
            SIGCHLD,
        ]
        return set(of: numbers)
    }()

    private static func set(of numbers: [Int32]) -> sigset_t {
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in numbers { sigaddset(&signals, number) }
        return signals
    }

    /// Runs it to its end. The signals stay blocked afterwards: see `isInterrupted`.
    ///
    /// - Returns: its exit code, or 128 and the number of the signal that ended it.
    /// - Throws: `Failure` when there can be no process.
    func run() throws(Failure) -> Int32 {
        var signals = Self.signals
        var before = sigset_t()
        sigprocmask(SIG_BLOCK, &signals, &before)
        let parent = getpid()
        let child = hubfs_fork()
        if child == -1 {
            throw Failure(
                .failure, "\(words[0]) cannot be started: \(Errno(rawValue: errno))")
        }
        if child == 0 { become(childOf: parent, mask: before) }
        return Self.wait(for: child)
    }

    /// Whether a signal has come, since the program ended, that asks for an end.
    static func isInterrupted() -> Bool {
        var signals = set(of: [SIGTERM, SIGINT, SIGHUP, SIGQUIT])
        var now = timespec()
        return sigtimedwait(&signals, nil, &now) > 0
    }

    /// The program in place of this fork.
    private func become(childOf parent: pid_t, mask: sigset_t) -> Never {
        hubfs_set_parent_death_signal(SIGKILL)
        // Before that call it may have been too late.
        if getppid() != parent { _exit(Self.notRunnable) }
        var mask = mask
        sigprocmask(SIG_SETMASK, &mask, nil)
        signal(SIGPIPE, SIG_DFL)
        let argv = words.map { strdup($0) } + [nil]
        execvp(words[0], argv)
        let code = Errno(rawValue: errno)
        writeToStandardError("hubfs: \(words[0]) cannot be run: \(code)\n")
        _exit(code == .noSuchFileOrDirectory ? Self.notFound : Self.notRunnable)
    }

    private static func wait(for child: pid_t) -> Int32 {
        var signals = Self.signals
        while true {
            var details = siginfo_t()
            let number = sigwaitinfo(&signals, &details)
            // What the terminal sends, it sends to the whole process group.
            let isForGroup = details.si_code == fromKernel
            switch number {
            case -1: continue
            case SIGCHLD:
                if let status = reap(waitingFor: child) { return status }
            case SIGTSTP:
                if !isForGroup { kill(child, number) }
                kill(getpid(), SIGSTOP)
            default:
                if !isForGroup { kill(child, number) }
            }
        }
    }

    /// SI_KERNEL. Source: man 2 sigaction.
    private static let fromKernel: Int32 = 0x80

    /// Takes note of all children that have ended: as the first process of a container we are given
    /// those of others too.
    private static func reap(waitingFor child: pid_t) -> Int32? {
        var end: Int32?
        var status: Int32 = 0
        while true {
            let ended = waitpid(-1, &status, WNOHANG)
            if ended <= 0 { return end }
            guard ended == child else { continue }
            // WTERMSIG and WEXITSTATUS, macros; source: man 2 wait.
            let signal = status & 0x7f
            end = signal == 0 ? status >> 8 & 0xff : 128 + signal
        }
    }
}
