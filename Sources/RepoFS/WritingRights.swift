import HubClient
import Logging
import Platform

/// Finds out before a mount whether its edits could ever be committed: better now than at unmount.
struct WritingRights {
    let client: HubClient
    let repo: RepoID
    let revision: Revision
    let logger: Logger

    /// A name no repo has: nothing is sent under it.
    private static let probePath = ".hubfs-write-probe"

    /// - Throws: when the revision is no branch, or the Hub refuses this user. A Hub that cannot be
    ///   asked now is no reason: edits wait for it.
    func check() throws(MountError) {
        if repo.kind == .bucket {
            let uploads = XetUploads(client, repo, to: revision)
            let answer = waitForAnswer { completion in uploads.open(completion: completion) }
            if case .failure(let error) = answer { try judge(error) }
            return
        }
        try checkBranch()
        let probe = PreuploadFile(path: Self.probePath, size: 0, sample: [])
        let answer = waitForAnswer { completion in
            client.preupload(repo, to: revision, files: [probe], completion: completion)
        }
        if case .failure(let error) = answer { try judge(error) }
    }

    private func checkBranch() throws(MountError) {
        guard CommitOID(hex: revision.name) == nil else {
            throw .notABranch(revision: revision.name)
        }
        // Every repo has it.
        if revision == .main { return }
        // A pull request is committed to like a branch.
        if revision.name.hasPrefix("refs/pr/") { return }
        let answer = waitForAnswer { completion in
            client.refs(repo, includesPullRequests: false, completion: completion)
        }
        switch answer {
        case .success(let refs):
            guard refs.branches.contains(where: { $0.name == revision.name }) else {
                throw .notABranch(revision: revision.name)
            }
        case .failure(let error): try judge(error)
        }
    }

    private func judge(_ error: HubError) throws(MountError) {
        switch error {
        case .repoNotFound, .revisionNotFound, .entryNotFound, .gated, .badToken, .forbidden:
            throw .notWritable(error)
        case .rateLimited, .status, .unreachable, .malformed, .offline, .cancelled:
            logger.warning(
                "it is not known yet whether commits are allowed: \(error); edits are kept here")
        }
    }
}
