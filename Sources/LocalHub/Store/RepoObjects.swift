import Foundation
import Glibc

/// A repo's large contents by SHA-256, whichever way they came: LFS objects on disk, and files in
/// Xet's form.
struct RepoObjects: Sendable {
    let repo: RepoRecord
    let hub: Hub

    /// Those on disk.
    var lfs: LFSStore { hub.lfs(repo) }

    /// Bytes of the object; nil if the repo does not have it.
    func size(_ oid: String) throws -> Int? {
        try lfs.size(oid) ?? xetFile(oid)?.size
    }

    /// The object in Xet's form, if it has that.
    func xetFile(_ oid: String) throws -> XetFile? {
        try hub.registry.xetHashes(of: [oid], in: repo)[oid].flatMap { try hub.xet.file($0) }
    }

    /// All objects, in the order of their oids.
    func all() throws -> [(oid: String, size: Int, stored: Date)] {
        let stored = lfs.objects()
        let known = Set(stored.map(\.oid))
        let others = try hub.registry.xetObjects(in: repo).filter { !known.contains($0.oid) }
        return others.isEmpty ? stored : (stored + others).sorted { $0.oid < $1.oid }
    }

    /// The repo has the object no more, in either form.
    func remove(_ oid: String) throws {
        try hub.registry.forgetXetObject(oid, in: repo)
        unlink(lfs.path(oid))
    }

    /// Makes an object this one has another repo's as well.
    ///
    /// - Returns: false if there is no such object.
    func share(_ oid: String, with other: RepoObjects) throws -> Bool {
        let isOnDisk = lfs.size(oid) != nil
        let file = try xetFile(oid)
        if isOnDisk { try other.lfs.link(lfs.path(oid), oid: oid) }
        if let file {
            let entry = Registry.XetRegistration(file: file, oid: oid, chunks: [])
            try hub.registry.register([entry], in: other.repo)
        }
        return isOnDisk || file != nil
    }
}

extension Hub {
    func objects(_ repo: RepoRecord) -> RepoObjects { RepoObjects(repo: repo, hub: self) }
}
