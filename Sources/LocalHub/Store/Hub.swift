import Foundation

/// The Hub in a folder: its database, its repositories and the git engine that reads them.
///
/// Every method blocks; async callers go through `Blocking`.
package final class Hub: Sendable {
    package let folder: HubFolder
    package let registry: Registry
    package let xet: XetStore
    let engine = GitEngine()

    /// Opens the folder, making it if it is not there.
    package init(root: String) throws {
        folder = HubFolder(root: root)
        try folder.create()
        registry = try Registry(path: folder.database)
        xet = XetStore(folder: folder, registry: registry)
    }

    // MARK: Repos

    func repository(_ repo: RepoRecord) -> GitRepository {
        GitRepository(
            path: folder.repository(repo.kind, repo.name), identity: repo.id, engine: engine)
    }

    package func lfs(_ repo: RepoRecord) -> LFSStore {
        LFSStore(repository: folder.repository(repo.kind, repo.name), incoming: folder.incoming)
    }

    /// Makes a repo with its first commit, which holds `.gitattributes` and `files`.
    ///
    /// - Throws: `HubError.repoExists`.
    package func createRepo(
        _ kind: RepoKind, _ name: RepoName, options: RepoOptions = RepoOptions(),
        author: String, files: [(path: String, content: [UInt8])] = []
    ) throws -> RepoRecord {
        guard try registry.repo(kind, name) == nil else { throw HubError.repoExists(name) }
        let path = folder.repository(kind, name)
        // Made aside and renamed, so that a repository is whole or not there.
        let aside = "\(folder.incoming)/\(UUID().uuidString).git"
        defer { try? FileManager.default.removeItem(atPath: aside) }
        try Git.create(aside)
        let fresh = GitRepository(path: aside, identity: aside, engine: engine)
        let writer = try CommitWriter(repository: fresh, incoming: folder.incoming)
        var changes: [CommitWriter.Change] = []
        let attributes = (path: ".gitattributes", content: Array(GitAttributes.initial.utf8))
        let isGiven = files.contains { $0.path == attributes.path }
        for file in isGiven ? files : [attributes] + files {
            let source = try writer.blob(file.content)
            changes.append(.put(path: file.path, source, isExecutable: false))
        }
        let commit = try writer.commit(
            parent: nil, message: .init(author: author, text: "initial commit"), changes: changes)
        guard try fresh.moveRef("refs/heads/main", from: nil, to: commit) else {
            throw GitError.unexpected("a new repository with a branch")
        }
        try FileManager.default.createDirectory(
            atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try FileManager.default.moveItem(atPath: aside, toPath: path)
        do {
            try registry.insert(kind, name, options: options)
        } catch {
            try? FileManager.default.removeItem(atPath: path)
            throw error
        }
        guard let repo = try registry.repo(kind, name) else { throw HubError.repoExists(name) }
        return repo
    }

    /// Gives the repo another name and its folder another place.
    ///
    /// - Throws: `HubError.repoBusy`.
    func moveRepo(_ repo: RepoRecord, to name: RepoName) throws {
        let old = folder.repository(repo.kind, repo.name)
        let new = folder.repository(repo.kind, name)
        guard let lock = RepositoryLock.acquire(old) else { throw HubError.repoBusy(repo.name) }
        defer { withExtendedLifetime(lock) {} }
        try FileManager.default.createDirectory(
            atPath: (new as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try registry.rename(repo, to: name) {
            try FileManager.default.moveItem(atPath: old, toPath: new)
        }
        engine.readers.drop(old)
    }

    /// Deletes the row first: from then on nobody finds the folder that goes next.
    package func deleteRepo(_ repo: RepoRecord) throws {
        try registry.delete(repo)
        let path = folder.repository(repo.kind, repo.name)
        engine.readers.drop(path)
        let aside = "\(folder.incoming)/\(UUID().uuidString).git"
        try FileManager.default.moveItem(atPath: path, toPath: aside)
        try FileManager.default.removeItem(atPath: aside)
    }
}

/// What the Hub itself refuses, apart from HTTP.
package enum HubError: Error {
    case repoExists(RepoName)
    /// Not a folder that can be read, with the errno.
    case unreadable(path: String, errno: Int32)
    /// A file's path that cannot be in a repo, and why.
    case badPath(path: String, reason: String)
    /// Somebody else kept the repository's lock too long.
    case repoBusy(RepoName)
}
