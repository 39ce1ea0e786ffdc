import HubClient
import Logging
import Platform
import WriteBack

/// Takes the commits of one mount, one after the other, on a thread of its own.
final class CommitDesk: Sendable {
    /// What becomes of the edits when the mount ends.
    enum Ending: String, Sendable {
        case commit
        /// They stay in the workspace for the next writable mount.
        case keep
        case discard
    }

    private struct State {
        var ending: Ending
        var last: CommitResult?
    }

    let committer: Committer
    private let logger: Logger
    private let usual: CommitRequest
    private let worker = Worker(name: "hubfs-commit", jobCountMax: 64)
    private let state: Guarded<State>
    private let watchers = FinishWatchers()
    private let usualEnding: Ending

    /// - Parameter usual: How this mount commits by itself.
    init(_ committer: Committer, usual: CommitRequest, ending: Ending, logger: Logger) {
        self.committer = committer
        self.usual = usual
        self.logger = logger
        usualEnding = ending
        state = Guarded(State(ending: ending), rank: .leaf)
    }

    /// How far the commit is that is under way.
    var progress: CommitProgress { committer.progress }

    /// How the last commit ended; nil before the first.
    var last: CommitResult? { state.withLock { $0.last } }

    /// Decides what the end of the mount does; it can be changed until then.
    ///
    /// - Parameter ending: nil for what was said when it was mounted.
    func setEnding(_ ending: Ending?) { state.withLock { $0.ending = ending ?? usualEnding } }

    /// Publishes all edits. `completion` runs on the commit thread, unless the desk is full or
    /// closed: then here.
    func commit(
        _ wish: CommitWish, completion: @escaping @Sendable (CommitResult) -> Void
    ) {
        let isTaken = worker.submit { [self] in completion(run(wish.over(usual))) }
        if !isTaken { completion(CommitResult(PublishError.cancelled)) }
    }

    /// Publishes all edits, as this mount does by itself.
    ///
    /// - Parameter completion: Gets whether all of them are at the Hub.
    func publish(completion: @escaping @Sendable (Bool) -> Void) {
        commit(CommitWish()) { completion($0.code == .success) }
    }

    /// Publishes what no program can write to any more.
    func commitAutomatically(completion: @escaping @Sendable (CommitResult) -> Void) {
        var request = usual
        request.leavesOpenFiles = true
        let isTaken = worker.submit { [self, request] in completion(run(request)) }
        if !isTaken { completion(CommitResult(PublishError.cancelled)) }
    }

    /// Calls `completion` when the next finish is done, whoever asks for it.
    func onFinish(completion: @escaping @Sendable (CommitResult) -> Void) {
        watchers.add(completion)
    }

    /// Does what the end of the mount asks for.
    func finish(completion: @escaping @Sendable (CommitResult) -> Void) {
        finishAlone { [watchers] result in
            watchers.tell(result)
            completion(result)
        }
    }

    private func finishAlone(completion: @escaping @Sendable (CommitResult) -> Void) {
        switch state.withLock({ $0.ending }) {
        case .commit: commit(CommitWish(), completion: completion)
        case .keep: completion(CommitResult(keptAt: committer.base))
        case .discard:
            let isTaken = worker.submit { [self] in completion(discard()) }
            if !isTaken { completion(CommitResult(PublishError.cancelled)) }
        }
    }

    /// Moves to the head of the branch, with the edits.
    func pull(completion: @escaping @Sendable (CommitResult) -> Void) {
        let isTaken = worker.submit { [self] in
            do throws(PublishError) {
                completion(CommitResult(keptAt: try committer.pull()))
            } catch {
                completion(CommitResult(error))
            }
        }
        if !isTaken { completion(CommitResult(PublishError.cancelled)) }
    }

    /// Gives up the edits of these paths while the mount goes on.
    func discard(_ paths: [String], completion: @escaping @Sendable (CommitResult) -> Void) {
        let isTaken = worker.submit { [self] in
            do throws(PublishError) {
                completion(CommitResult(try committer.discard(paths), at: committer.base))
            } catch {
                completion(CommitResult(error))
            }
        }
        if !isTaken { completion(CommitResult(PublishError.cancelled)) }
    }

    /// Decides conflicts while the mount goes on.
    func resolve(
        _ paths: [String], for side: ConflictSide,
        completion: @escaping @Sendable (CommitResult) -> Void
    ) {
        let isTaken = worker.submit { [self] in
            do throws(PublishError) {
                let resolution = try committer.resolve(paths, for: side)
                completion(CommitResult(resolution, at: committer.base))
            } catch {
                completion(CommitResult(error))
            }
        }
        if !isTaken { completion(CommitResult(PublishError.cancelled)) }
    }

    /// Makes the commit under way end soon; its edits stay in the workspace.
    func stop() { committer.stop() }

    /// Waits for the commits that were taken, and until the cache has what they made. Call once, not from a
    /// completion.
    func close() {
        worker.close()
        committer.close()
    }

    private func run(_ request: CommitRequest) -> CommitResult {
        let result: CommitResult
        do throws(PublishError) {
            let report = try committer.commit(request)
            result = CommitResult(report)
            if report.changeCount > 0 {
                logger.notice(
                    "committed",
                    metadata: [
                        "commit": "\(report.commit.hex)", "changes": "\(report.changeCount)",
                    ])
            }
        } catch {
            logger.error("the edits are not at the Hub, the workspace keeps them: \(error)")
            result = CommitResult(error)
        }
        state.withLock { $0.last = result }
        committer.note(failure: result.sentence)
        return result
    }

    private func discard() -> CommitResult {
        do throws(WriteBackError) {
            try committer.discardAll()
            logger.notice("all edits were discarded")
            return CommitResult(keptAt: committer.base)
        } catch {
            return CommitResult(PublishError.workspace(error))
        }
    }
}
