import FuseBridge
import Glibc
import HubClient
import Platform
import RepoCache
import SystemPackage

/// One name in a directory of the tree's own.
struct DirectoryRow {
    let name: String
    let inodeNumber: UInt64
    let kind: NodeKind
}

extension HubTreeFileSystem {
    func openDirectory(
        _ node: NodeID, _ reply: consuming Reply<RequestKind.OpenDirectory>
    ) {
        let part = PartNumbers(of: node)
        if part != .whole {
            return withRepo(part, reply) { fileSystem, reply in
                fileSystem.openDirectory(PartNumbers.inside(node), reply)
            }
        }
        guard let place = place(node) else { return reply.fail(.staleNFSFileHandle) }
        if case .link = place { return reply.fail(.notDirectory) }
        let parked = reply.park()
        rows(of: place) { [self] result in
            guard let reply = parked.take() else { return }
            switch result {
            case .success(let rows):
                // Not kept by the kernel: what a list says holds for a while only.
                let sorted = rows.sorted { $0.name < $1.name }
                reply.opened(directories.withLock { $0.insert(sorted) }, keepsCache: false)
            case .failure(let error): reply.fail(error.errno)
            }
        }
    }

    func readDirectory(
        _ node: NodeID, _ handle: HandleID, offset: UInt64, into buffer: consuming DirectoryBuffer,
        _ reply: consuming Reply<RequestKind.Data>
    ) {
        let part = PartNumbers(of: node)
        if part != .whole {
            guard let fileSystem = openRepo(part) else { return reply.fail(.badFileDescriptor) }
            return fileSystem.readDirectory(
                PartNumbers.inside(node), PartNumbers.inside(handle), offset: offset,
                into: buffer.handed(to: part), reply.handed(to: part))
        }
        guard let rows = directories.withLock({ $0[handle] }), let place = place(node) else {
            return reply.fail(.badFileDescriptor)
        }
        let dots = [(".", place), ("..", place.parent)].map { name, place in
            DirectoryRow(name: name, inodeNumber: place.inodeNumber, kind: .directory)
        }
        let all = dots + rows
        var next = Int(clamping: offset)
        while next < all.count {
            let row = all[next]
            let name = row.name.utf8.map { CChar(bitPattern: $0) } + [0]
            // Names alone: what they stand for is looked up when somebody wants to know.
            let fits = buffer.add(
                name, inodeNumber: row.inodeNumber, kind: row.kind, nextOffset: UInt64(next + 1))
            guard fits else { break }
            next += 1
        }
        reply.entries(buffer.bytes)
    }

    func releaseDirectory(_ handle: HandleID) {
        let part = PartNumbers(of: handle)
        if part == .whole {
            _ = directories.withLock { $0.remove(handle) }
        } else {
            openRepo(part)?.releaseDirectory(PartNumbers.inside(handle))
        }
    }

    // MARK: What the directories show

    private func rows(
        of place: HubPlace, completion: @escaping HubCatalogue.Completion<[DirectoryRow]>
    ) {
        switch place {
        case .link: completion(.success([]))
        case .root:
            ownAndUsed { accounts in
                let kinds = RepoKind.listed.map { Self.row($0.apiName, .kind($0)) }
                let links = Set(accounts.filter { $0.kind == .model }.map(\.name)).map { name in
                    Self.row(name, .link(path: name, target: ""))
                }
                completion(.success(kinds + links))
            }
        case .kind(let kind):
            ownAndUsed { accounts in
                let names = Set(accounts.filter { $0.kind == kind })
                completion(.success(names.map { Self.row($0.name, .account($0)) }))
            }
        case .account(let account):
            catalogue.list(of: account, isKnown: true) { [self] result in
                completion(
                    result.map { listing in
                        let listed = listing.repos.map {
                            TreeRepo(
                                RepoID(kind: account.kind, name: "\(account.name)/\($0.name)"), nil)
                        }
                        let used = usedRepos.filter { $0.account == account }
                        return Set(listed + used).map { repo in
                            DirectoryRow(
                                name: repo.fileName,
                                inodeNumber: InodeNumbers.root(repo: repo.description, path: ""),
                                kind: .directory)
                        }
                    })
            }
        }
    }

    private static func row(_ name: String, _ place: HubPlace) -> DirectoryRow {
        DirectoryRow(name: name, inodeNumber: place.inodeNumber, kind: place.nodeKind)
    }

    /// Repos that lookups have found, at the revisions they were looked up at.
    private var usedRepos: [TreeRepo] { tables.withLock { $0.slots.names } }

    /// Accounts that are the token's, with every kind, and those of repos that are in use.
    private func ownAndUsed(completion: @escaping @Sendable ([HubAccount]) -> Void) {
        catalogue.owner { [self] owner in
            let own = (owner?.names ?? []).filter { faultOfRepoName($0) == nil }.flatMap { name in
                RepoKind.listed.map { HubAccount(kind: $0, name: name) }
            }
            completion(own + usedRepos.compactMap(\.account))
        }
    }
}

extension HubPlace {
    /// The directory that it is in; the root's own is itself.
    fileprivate var parent: HubPlace {
        if case .account(let account) = self { .kind(account.kind) } else { .root }
    }
}
