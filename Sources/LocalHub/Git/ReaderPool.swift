import Synchronization

/// Idle `git cat-file` processes, the latest used last, across all repositories.
final class ReaderPool: Sendable {
    /// Processes kept while idle; beyond it the longest idle ends.
    static let idleMax = 16

    private struct Idle {
        let repository: String
        let reader: Handoff
    }

    /// Carries a reader between threads. Safe: a reader is either idle in the list, guarded by the
    /// mutex, or with the one thread that took it out.
    private struct Handoff: @unchecked Sendable {
        let reader: ObjectReader
    }

    private let idle = Mutex<[Idle]>([])

    /// Runs `body` alone with a reader of the repository. Blocks; a reader that failed is ended.
    func with<Result>(
        _ repository: String, _ body: (ObjectReader) throws(GitError) -> Result
    ) throws(GitError) -> Result {
        let reader = try take(repository)
        let result = try body(reader)
        give(reader, repository)
        return result
    }

    /// Ends the repository's idle readers, before its folder goes.
    func drop(_ repository: String) {
        let dropped = idle.withLock { idle in
            defer { idle.removeAll { $0.repository == repository } }
            return idle.filter { $0.repository == repository }
        }
        withExtendedLifetime(dropped) {}
    }

    /// Ends all idle readers.
    func dropAll() {
        let dropped = idle.withLock { idle in
            defer { idle = [] }
            return idle
        }
        withExtendedLifetime(dropped) {}
    }

    private func take(_ repository: String) throws(GitError) -> ObjectReader {
        let found = idle.withLock { idle -> Handoff? in
            guard let index = idle.lastIndex(where: { $0.repository == repository }) else {
                return nil
            }
            return idle.remove(at: index).reader
        }
        if let found { return found.reader }
        return try ObjectReader(repository: repository)
    }

    private func give(_ reader: ObjectReader, _ repository: String) {
        let entry = Idle(repository: repository, reader: Handoff(reader: reader))
        let evicted = idle.withLock { idle -> Idle? in
            idle.append(entry)
            return idle.count > Self.idleMax ? idle.removeFirst() : nil
        }
        // The evicted process is reaped here, outside the lock.
        withExtendedLifetime(evicted) {}
    }
}
