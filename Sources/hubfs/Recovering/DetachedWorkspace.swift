import Glibc
import HubClient
import Logging
import Platform
import RepoFS
import SystemPackage
import WriteBack

/// A workspace that no mount uses, opened by a command.
struct DetachedWorkspace {
    let committer: Committer
    private let workspace: Workspace

    /// - Throws: `Failure` with code `busy` when a mount uses it after all.
    init(_ found: FoundWorkspace, _ hub: HubAccess, logger: Logger) throws(Failure) {
        let key = found.key
        guard let base = found.summary.base else {
            throw Failure(.damaged, "\(found.folder) does not say which commit it is based on")
        }
        do throws(WriteBackError) {
            workspace = try Workspace(
                key, in: FilePath(Environment().stateFolder), head: base,
                numbering: RepoInodeNumbering(repo: key.repo, path: key.path),
                owner: WorkspaceUser(mountPoint: nil, pid: getpid()).text, logger: logger)
        } catch {
            if case .inUse(_, let owner) = error { throw Self.busy(found.name, owner) }
            throw Failure(error)
        }
        let source = BaseTrees(key.repo, path: key.path, cache: hub.cache)
        committer = Committer(
            client: hub.client, workspace: workspace, source: source, sink: source,
            memory: CachedChunks(hub.cache), logger: logger)
    }

    static func busy(_ name: String, _ user: String) -> Failure {
        Failure(.busy, "\(name) is in use: \(printable(user)); hubfs umount ends a mount")
    }

    /// Lets others in. Call once.
    func close() {
        committer.close()
        workspace.close()
    }

    /// Publishes all edits, and shows how far it is.
    func commit(_ wish: CommitWish) throws(Failure) {
        let request = wish.over(CommitRequest())
        let outcome = Monitor<CommitResult?>(nil)
        let thread = Thread(name: "hubfs-commit") { [committer, request] in
            let result: CommitResult
            do throws(PublishError) {
                _ = try committer.leaveLostBase(for: request.branch)
                result = CommitResult(try committer.commit(request))
            } catch {
                result = CommitResult(error)
            }
            committer.note(failure: result.sentence)
            outcome.update { $0 = result }
        }
        var line = ProgressLine(isShown: isatty(STDERR_FILENO) == 1)
        var result: CommitResult?
        while result == nil {
            result = outcome.wait(until: .now.advanced(bySeconds: 0.5)) { $0 }
            if result == nil { line.show(EditStatus(committer.progress)) }
        }
        thread.join()
        line.clear()
        try result!.show()
    }
}
