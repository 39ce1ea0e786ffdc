import HubClient

extension RepoBrowser.Item {
    /// `file` or `directory`.
    var type: String {
        switch kind {
        case .directory: "directory"
        case .file: "file"
        }
    }

    var size: UInt64 {
        switch kind {
        case .directory: 0
        case .file(_, let size): size
        }
    }

    /// The git blob or tree oid, or the sha256 of an LFS file; nil for the root.
    var oid: String? {
        switch kind {
        case .directory(let tree): tree?.hex
        case .file(let content, _): content.digest
        }
    }

    /// The sha256 of the bytes; known of LFS files only.
    var sha256: String? {
        if case .file(.lfs(let oid), _) = kind { oid.hex } else { nil }
    }

    /// When a file of a bucket was changed, as `2026-01-02T03:04:05Z`; nil for everything else.
    var modified: String? {
        modifiedNanoseconds.map { utcTime(seconds: $0 / 1_000_000_000) }
    }

    /// What scripts see of the item.
    ///
    /// - Parameter cachedBytes: Bytes of the file that are in the cache.
    func members(cachedBytes: UInt64) -> [String: JSON] {
        var members: [String: JSON] = [
            "path": .string(path), "type": .string(type), "size": .count(size),
            "oid": .optional(oid), "sha256": .optional(sha256), "cached": .count(cachedBytes),
        ]
        if let modified { members["modified"] = .string(modified) }
        return members
    }
}

extension RepoBrowser {
    /// What scripts see of the repo and its commit.
    var members: [String: JSON] {
        [
            "repo": .string(snapshot.repo.description), "commit": .string(snapshot.commit.hex),
            "date": .string(utcTime(seconds: snapshot.commitDateNanoseconds / 1_000_000_000)),
        ]
    }
}
