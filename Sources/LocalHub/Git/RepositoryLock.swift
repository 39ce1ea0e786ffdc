import Glibc

/// The right to move a repository's branches, held across processes by flock(2).
///
/// `git update-ref` alone keeps refs whole; the lock keeps two commits without `parentCommit` from
/// refusing each other, and is what the Hub's 409 speaks of.
final class RepositoryLock {
    private let fd: Int32

    private init(fd: Int32) {
        self.fd = fd
    }

    deinit {
        close(fd)
    }

    /// Waits for the lock, polling, since flock(2) knows no time limit.
    ///
    /// - Returns: nil if somebody held it for `seconds`, or the repository is gone.
    static func acquire(_ repository: String, seconds: Int = 30) -> RepositoryLock? {
        let fd = open(repository + "/localhub.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard fd >= 0 else { return nil }
        let lock = RepositoryLock(fd: fd)
        let pause: UInt32 = 2_000
        for _ in 0..<(seconds * 1_000_000 / Int(pause)) {
            if flock(fd, LOCK_EX | LOCK_NB) == 0 { return lock }
            usleep(pause)
        }
        return nil
    }
}
