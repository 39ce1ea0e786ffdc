import HubClient
import Platform
import SystemPackage

extension Committer {
    /// Makes every changed file's bytes whole and finds their names.
    func prepare(_ changes: ChangeList) throws(PublishError) -> Prepared {
        var prepared = Prepared()
        for change in changes.changes {
            try checkStop()
            switch change.kind {
            case .added(let frozen, let number):
                prepared.files.append(try prepare(frozen, number, at: change.path, nil))
            case .modified(let frozen, let number, let original):
                prepared.files.append(try prepare(frozen, number, at: change.path, original))
            case .moved(let file):
                prepared.files.append(try prepare(file, nil, at: change.path, nil))
            case .deleted: prepared.deletedFiles.append(change.path)
            case .deletedDirectory(let oid):
                prepared.deletedDirectories.append((change.path, oid))
            }
        }
        prepared.unchanged = prepared.files.filter(\.isNoChange).map {
            IdentifiedFile(file: $0, content: $0.replaces!.content)
        }
        prepared.files.removeAll(where: \.isNoChange)
        return prepared
    }

    private func prepare(
        _ frozen: FrozenFile, _ number: NodeNumber, at path: String, _ original: BaseFile?
    ) throws(PublishError) -> PreparedFile {
        if !frozen.isEdited, let base = frozen.base {
            return try prepare(base, number, at: path, original)
        }
        let store: StagingFile
        let hash: ContentHash
        let size = frozen.sealed?.shape.size ?? 0
        if let sealed = frozen.sealed {
            store = sealed.store
            hash = try self.hash(of: sealed, frozen, original)
        } else {
            precondition(!frozen.isEdited, "a file is sealed, or not committed")
            store = try emptyStore()
            hash = try local { () throws(WriteBackError) in
                try ContentHash(of: store, size: 0, for: purpose)
            }
        }
        progress { $0.doneBytes += size }
        return PreparedFile(
            path: path, size: size, bytes: .staged(store, hash), number: number,
            replaces: original)
    }

    /// Makes sealed bytes whole and hashes them, unless a commit before has done so.
    ///
    /// - Parameter original: What they may turn out to be: what git keeps is known by git's name.
    private func hash(
        of sealed: SealedLayer, _ frozen: FrozenFile, _ original: BaseFile?
    ) throws(PublishError) -> ContentHash {
        let size = sealed.shape.size
        let hash = sealed.hash
        if hash == nil {
            try frozen.file.makeWhole(sealed, over: frozen.base, from: source)
        }
        let found = try local { () throws(WriteBackError) in
            let found =
                if let hash { hash } else {
                    try ContentHash(of: sealed.store, size: size, for: purpose)
                }
            guard case .git? = original?.content else { return found }
            return try found.withGitName(of: sealed.store, size: size)
        }
        if hash !== found { frozen.file.keep(found, of: sealed) }
        return found
    }

    /// What the bytes of files are hashed for.
    private var purpose: ContentHash.Purpose {
        if isBucket { return .bucket }
        return client.configuration.uploadsByXet ? .store : .repo
    }

    /// A file of the base at another path. An LFS object is named again; what git keeps is sent again.
    private func prepare(
        _ base: BaseFile, _ number: NodeNumber?, at path: String, _ original: BaseFile?
    ) throws(PublishError) -> PreparedFile {
        guard case .git = base.content else {
            return PreparedFile(
                path: path, size: base.size, bytes: .base(base), number: number,
                replaces: original)
        }
        let store = try fetch(base)
        let hash = try local { () throws(WriteBackError) in
            try ContentHash(of: store, size: base.size, for: .repo)
        }
        return PreparedFile(
            path: path, size: base.size, bytes: .staged(store, hash), number: number,
            replaces: original)
    }

    /// A staging file without bytes, for files that were made and never written.
    private func emptyStore() throws(PublishError) -> StagingFile {
        try local { () throws(WriteBackError) in try workspace.staging.temporaryFile() }
    }

    /// Brings the bytes of a base file into a staging file: a file that git keeps has to be sent
    /// again to have it at another path.
    private func fetch(_ file: BaseFile) throws(PublishError) -> StagingFile {
        let store = try local { () throws(WriteBackError) in
            try workspace.staging.floor.reserve(file.size)
            return try workspace.staging.temporaryFile()
        }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { buffer.deallocate() }
        var offset: UInt64 = 0
        while offset < file.size {
            let count = Int(min(UInt64(buffer.count), file.size - offset))
            let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
            try source.read(file, at: offset, into: piece)
            try local { () throws(WriteBackError) in
                try store.use { (descriptor) throws(Errno) in
                    try descriptor.writeWhole(UnsafeRawBufferPointer(piece), at: offset)
                }
            }
            offset += UInt64(count)
        }
        return store
    }
}

/// A file and the identity that its bytes have at the Hub, or will have.
struct IdentifiedFile: Sendable {
    let file: PreparedFile
    let content: ContentID
}

/// The files of a coming commit.
struct Prepared {
    /// What is sent.
    var files: [PreparedFile] = []
    /// What turned out to be what the base has.
    var unchanged: [IdentifiedFile] = []
    /// From the mounted directory.
    var deletedFiles: [String] = []
    var deletedDirectories: [(path: String, oid: TreeOID)] = []
    /// Files of a renamed directory that the Hub does not take: paths.
    var unkept: [String] = []

    var isEmpty: Bool { files.isEmpty && deletedFiles.isEmpty && deletedDirectories.isEmpty }

    var operationCount: Int { files.count + deletedFiles.count + deletedDirectories.count }
}
