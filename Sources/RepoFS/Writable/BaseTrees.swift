package import HubClient
import Platform
package import RepoCache
package import SystemPackage
package import WriteBack

/// The commits a writable mount stands on, one after the other, and the answers of the cache to what
/// the overlay and a commit ask of them.
package final class BaseTrees: BaseSource {
    private let cache: RepoCache
    private let rootPath: String
    private let repo: RepoID
    private let trees: Guarded<[CommitOID: BaseTree]>

    package init(first: BaseTree, cache: RepoCache) {
        self.cache = cache
        rootPath = first.rootPath
        repo = first.snapshot.repo
        trees = Guarded([first.snapshot.commit: first], rank: .leaf)
    }

    /// Knows no commit before it is asked for one.
    ///
    /// - Parameter path: The mounted directory, "" for the whole repo.
    package init(_ repo: RepoID, path: String, cache: RepoCache) {
        self.cache = cache
        rootPath = path
        self.repo = repo
        trees = Guarded([:], rank: .leaf)
    }

    /// A tree that was prepared; nil for any other commit.
    func tree(at commit: CommitOID) -> BaseTree? { trees.withLock { $0[commit] } }

    package func prepare(_ commit: CommitOID) throws(PublishError) {
        let answer = waitForAnswer { completion in
            tree(at: commit, completion: completion)
        }
        if case .failure(let error) = answer { throw PublishError(error) }
    }

    /// Finds the tree of any commit of the repo; the Hub is asked for one that is not known.
    private func tree(
        at commit: CommitOID,
        completion: @escaping @Sendable (Result<BaseTree, CacheError>) -> Void
    ) {
        if let tree = tree(at: commit) { return completion(.success(tree)) }
        cache.snapshots.snapshot(repo, Revision(commit.hex)) { [self] result in
            completion(
                result.map { resolved in
                    let tree = BaseTree(
                        snapshot: resolved.snapshot, rootPath: rootPath, cache: cache)
                    trees.withLock { $0[commit] = tree }
                    return tree
                })
        }
    }

    /// Lists a directory without waiting.
    func listing(
        of directory: BaseDirectory,
        completion: @escaping @Sendable (Result<any BaseListing, CacheError>) -> Void
    ) {
        tree(at: directory.commit) { result in
            switch result {
            case .failure(let error): completion(.failure(error))
            case .success(let tree):
                tree.listing(path: directory.path, tree: nil) { result in
                    completion(result.map { HubListing(listing: $0) })
                }
            }
        }
    }

    package func listing(
        of path: String, at commit: CommitOID
    ) throws(PublishError) -> any BaseListing {
        let answer = waitForAnswer { completion in
            listing(of: BaseDirectory(commit: commit, path: path), completion: completion)
        }
        do throws(CacheError) {
            return try answer.get()
        } catch {
            throw PublishError(error)
        }
    }

    package func read(
        _ file: BaseFile, at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(PublishError) {
        do throws(CacheError) {
            let content = try cache.contents.open(
                ContentLocation(of: file, in: repo, mountedPath: rootPath))
            defer { content.close() }
            if try content.readWaiting(into: buffer, at: offset) == buffer.count { return }
        } catch {
            throw PublishError(error)
        }
        throw .base("the cache is too full to read \(file.path)")
    }
}

extension BaseTrees {
    package func presentBytes(of file: BaseFile) -> UInt64 {
        cache.contents.presentBytes(of: ContentLocation(of: file, in: repo, mountedPath: rootPath))
    }
}

extension ContentLocation {
    /// - Parameter mountedPath: The mounted directory, "" for the whole repo.
    init(of file: BaseFile, in repo: RepoID, mountedPath: String) {
        self.init(
            repo: repo, commit: file.commit,
            path: mountedPath.isEmpty ? file.path : mountedPath + "/" + file.path,
            content: file.content, size: file.size)
    }
}

extension BaseTrees: ContentSink {
    package func adopt(_ file: BaseFile, from path: FilePath) {
        cache.contents.adopt(
            ContentLocation(of: file, in: repo, mountedPath: rootPath), from: path)
    }
}

extension PublishError {
    init(_ error: CacheError) {
        switch error {
        case .hub(let error): self = .hub(error)
        default: self = .base(error.description)
        }
    }
}
