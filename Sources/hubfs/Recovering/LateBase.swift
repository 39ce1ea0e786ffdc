import HubClient
import Platform
import RepoCache
import RepoFS
import SystemPackage
import WriteBack

/// The commit that left-behind edits are based on, looked up when it is first needed: what is whole
/// in the workspace can be had without the Hub.
final class LateBase: BaseSource, ContentSink {
    private let hub: HubAccess
    private let key: WorkspaceKey
    private let base: CommitOID
    private let opened = Guarded<BaseTrees?>(nil, rank: .leaf)

    init(_ base: CommitOID, of key: WorkspaceKey, _ hub: HubAccess) {
        self.base = base
        self.key = key
        self.hub = hub
    }

    func listing(
        of path: String, at commit: CommitOID
    ) throws(PublishError) -> any BaseListing {
        try trees().listing(of: path, at: commit)
    }

    func prepare(_ commit: CommitOID) throws(PublishError) { try trees().prepare(commit) }

    func read(
        _ file: BaseFile, at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(PublishError) {
        try trees().read(file, at: offset, into: buffer)
    }

    func adopt(_ file: BaseFile, from path: FilePath) {
        // Only what was read or committed can be adopted, so it is open by then.
        opened.withLock { $0 }?.adopt(file, from: path)
    }

    private func trees() throws(PublishError) -> BaseTrees {
        if let trees = opened.withLock({ $0 }) { return trees }
        let answer = waitForAnswer { completion in
            hub.cache.snapshots.snapshot(
                key.repo, Revision(base.hex), completion: completion)
        }
        do throws(CacheError) {
            let tree = BaseTree(
                snapshot: try answer.get().snapshot, rootPath: key.path, cache: hub.cache)
            let trees = BaseTrees(first: tree, cache: hub.cache)
            return opened.withLock { opened in
                opened = opened ?? trees
                return opened!
            }
        } catch .hub(let error) {
            throw .hub(error)
        } catch {
            throw .base(error.description)
        }
    }
}
