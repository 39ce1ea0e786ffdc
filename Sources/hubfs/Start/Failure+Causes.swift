import FuseBridge
import Glibc
import HubClient
import RepoCache
import RepoFS
import SystemPackage
import WriteBack

// The one place where errors become exit codes and sentences for people. docs/ERRORS.md has the
// table of codes.

extension Failure {
    /// - Parameter isAnonymous: Whether no token was sent, which may be the reason for a refusal.
    init(_ error: HubError, isAnonymous: Bool) {
        switch error {
        case .repoNotFound where isAnonymous:
            self.init(
                .notFound,
                error.sentence + "; you are anonymous: a private repo needs a token (HF_TOKEN, "
                    + "--token-file or hf auth login)")
        case .gated where isAnonymous:
            self.init(
                .accessRefused,
                error.sentence + "; no token was found (HF_TOKEN, --token-file or hf auth login)")
        case .repoNotFound, .revisionNotFound, .entryNotFound:
            self.init(.notFound, error.sentence)
        case .gated, .badToken, .forbidden: self.init(.accessRefused, error.sentence)
        case .unreachable:
            self.init(
                .hubUnavailable,
                error.sentence + "; check the network, the proxy and HF_ENDPOINT (hubfs doctor)")
        case .rateLimited, .status, .malformed, .offline, .cancelled:
            self.init(.hubUnavailable, error.sentence)
        }
    }

    init(_ error: CacheError, isAnonymous: Bool) {
        switch error {
        case .hub(.offline):
            self.init(
                .hubUnavailable,
                "this is not in the cache, and \(HubError.offline.sentence): read it once with the "
                    + "network, or fetch it with hubfs warm")
        case .hub(let error): self.init(error, isAnonymous: isAnonymous)
        case .integrity: self.init(.damaged, error.description)
        case .timedOut:
            self.init(
                .hubUnavailable, error.description + "; --read-timeout sets how long is waited")
        case .full:
            self.init(
                .localStorage,
                error.description + "; free some disk space, or name another folder (--cache-dir)")
        case .disk(.noSpace, let path):
            self.init(
                .localStorage,
                "the disk of \(path) is full: free some space, or name another folder (--cache-dir)"
            )
        case .disk(let code, let path):
            self.init(
                .localStorage,
                "the cache cannot use \(path): \(code); --cache-dir or HUBFS_CACHE names another "
                    + "folder")
        case .database, .networkFolder, .unknownFormat, .listingTooLong:
            self.init(.localStorage, error.description)
        case .cancelled, .closed: self.init(.failure, error.description)
        }
    }

    /// Runs what uses the cache folder alone, and says what went wrong.
    static func ofCache<Result>(
        _ body: () throws(CacheError) -> Result
    ) throws(Failure) -> Result {
        do throws(CacheError) {
            return try body()
        } catch {
            throw Failure(error, isAnonymous: false)
        }
    }

    init(_ error: MountError, isAnonymous: Bool) {
        switch error {
        case .source(let error): self.init(error, isAnonymous: isAnonymous)
        case .mountPoint(let path, let code):
            self.init(.mountPoint, MountPath.sentence(path, code))
        case .alreadyMounted(let path):
            self.init(
                .mountPoint,
                "hubfs is mounted at \(path) already: hubfs umount \(path), or take another "
                    + "directory")
        case .fuse(let error): self.init(error)
        case .workspace(let error): self.init(error)
        case .target(let error): self.init(error)
        case .notABranch(let revision):
            self.init(
                .usage,
                "\(revision) is no branch, and only branches can be edited: mount it without -w, or "
                    + "name a branch")
        case .nothingToFollow(let revision): self.init(nothingToFollow: revision)
        case .foreignOrder(let recorded, let mounted):
            self.init(
                .usage, "--replay: this was recorded of \(recorded), and \(mounted) is mounted")
        case .notWritable(let error):
            self.init(
                .accessRefused,
                error.sentence + "; editing needs a token that may write to the repo"
                    + (isAnonymous
                        ? ", and none was found (HF_TOKEN, --token-file or hf auth login)" : "")
                    + "; without -w the repo can be read")
        }
    }

    /// A commit never changes.
    init(nothingToFollow revision: String) {
        self.init(
            .usage,
            "\(revision) is a commit, and there is nothing to follow: mount it without --follow, or name "
                + "a branch")
    }

    init(_ error: WriteBackError) {
        switch error {
        case .inUse: self.init(.mountPoint, error.description)
        case .refused, .listingNeeded, .full, .disk, .journal, .networkFolder, .unknownFormat:
            self.init(.localStorage, error.description)
        case .damaged: self.init(.damaged, error.description)
        }
    }

    /// Why edits are not at the Hub. They are kept in every case.
    init(_ error: PublishError) {
        switch error {
        case .hub(let error):
            switch error {
            case .repoNotFound, .revisionNotFound, .entryNotFound, .gated, .badToken, .forbidden:
                self.init(.refused, error.sentence + Self.advice(error.refusal))
            // 501 and 507 are the Hub's own no.
            case .status(let refusal)
            where (400..<500).contains(refusal.status) || [501, 507].contains(refusal.status):
                self.init(.refused, error.sentence + Self.advice(refusal))
            case .status, .rateLimited, .unreachable, .malformed, .offline, .cancelled:
                self.init(.unsent, error.sentence)
            }
        case .workspace(let error): self.init(error)
        case .base, .baseLost, .unknownOutcome, .cancelled, .stale:
            self.init(.unsent, error.description)
        case .conflict: self.init(.conflict, error.description)
        case .busy: self.init(.busy, error.description)
        case .unedited, .noBranch: self.init(.notFound, error.description)
        case .mismatch, .notTaken: self.init(.refused, error.description)
        }
    }

    /// What helps against a refusal; the edits are kept meanwhile.
    private static func advice(_ refusal: HubError.Refusal?) -> String {
        switch refusal?.status {
        case 401:
            "; the edits are kept: log in anew (hf auth login, --token-file), then hubfs commit"
        case 403:
            "; the edits are kept: it takes a token that may write to the repo and room in the "
                + "account's storage, then hubfs commit"
        case 413: "; the edits are kept: commit less at once, or keep files out by .hubfsignore"
        case 507: "; the edits are kept: make room in the account's storage, then hubfs commit"
        default: "; the edits are kept: change what it does not take, then hubfs commit"
        }
    }

    init(_ error: FuseError) {
        switch error {
        case .sessionRefused:
            self.init(.fuseUnavailable, "libfuse refuses the mount options (see above)")
        case .mountFailed(let path) where access(path, W_OK) != 0:
            self.init(
                .mountPoint,
                "\(path) cannot be mounted: only root mounts at a directory it may not write to")
        case .mountFailed(let path):
            self.init(
                .fuseUnavailable,
                "\(path) cannot be mounted (see above); hubfs doctor checks what mounting needs")
        case .mountPoint(let path, let code):
            self.init(.mountPoint, MountPath.sentence(path, code))
        case .unmountFailed(let path, .resourceBusy):
            self.init(.busy, "\(path) is in use")
        case .unmountFailed(let path, let code):
            self.init(.mountPoint, "\(path) cannot be unmounted: \(code)")
        }
    }
}
