import HubClient
import Platform
import SystemPackage

extension Committer {
    /// Finds the names of every changed file's bytes.
    func prepare(_ changes: ChangeList) throws(PublishError) -> Prepared {
        filling.waitForRoom()
        var prepared = Prepared()
        for change in changes.changes {
            try checkStop()
            switch change.kind {
            case .added(let frozen, let number):
                prepared.files.append(try prepare(frozen, number, at: change.path, nil))
            case .modified(let frozen, let number, let original):
                prepared.files.append(try prepare(frozen, number, at: change.path, original))
            case .moved(let file, let date):
                prepared.files.append(try prepare(file, nil, at: change.path, nil, date))
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
            return try prepare(base, number, at: path, original, frozen.file.modifiedNanoseconds)
        }
        let size = frozen.sealed?.shape.size ?? 0
        let bytes: PreparedFile.Bytes
        if let sealed = frozen.sealed {
            bytes = try prepare(sealed, frozen, original)
        } else {
            precondition(!frozen.isEdited, "a file is sealed, or not committed")
            let empty = StagedBytes(try emptyStore(), size: 0)
            bytes = .staged(empty, try ContentHash(of: empty, for: purpose))
        }
        progress { $0.doneBytes += size }
        return PreparedFile(
            path: path, size: size, bytes: bytes, number: number, replaces: original,
            modifiedNanoseconds: frozen.file.modifiedNanoseconds)
    }

    /// Hashes sealed bytes, unless a commit before has done so.
    ///
    /// - Parameter original: What they may turn out to be: what git keeps is known by git's name.
    private func prepare(
        _ sealed: SealedLayer, _ frozen: FrozenFile, _ original: BaseFile?
    ) throws(PublishError) -> PreparedFile.Bytes {
        var bytes = StagedBytes(sealed, over: frozen.base, from: source)
        var known = sealed.hash
        if known?.delta != nil, readsWhole.update({ $0 }) { known = nil }
        if known == nil { known = try delta(of: bytes).map { ContentHash($0) } }
        if known == nil, !isReadInPlaces(bytes) {
            try frozen.file.makeWhole(sealed, over: frozen.base, from: source)
            bytes = StagedBytes(sealed.store, size: bytes.size)
        }
        var hash = if let known { known } else { try ContentHash(of: bytes, for: purpose) }
        if case .git? = original?.content { hash = try hash.withGitName(of: bytes) }
        if hash !== sealed.hash { frozen.file.keep(hash, of: sealed) }
        return .staged(bytes, hash)
    }

    /// Whether bytes are read from wherever they are: those of a large file for the store, whose base is here.
    private func isReadInPlaces(_ bytes: StagedBytes) -> Bool {
        guard !bytes.isWhole, purpose != .repo, bytes.size >= Self.placesBytesMin else {
            return false
        }
        return bytes.base.map { source.presentBytes(of: $0) >= $0.size } ?? true
    }

    /// Smaller files are made whole in no time.
    private static let placesBytesMin: UInt64 = 8 << 20

    /// What the bytes of files are hashed for.
    private var purpose: ContentHash.Purpose {
        if isBucket { return .bucket }
        return client.configuration.uploadsByXet ? .store : .repo
    }

    /// A file of the base at another path. An LFS object is named again; what git keeps is sent again.
    private func prepare(
        _ base: BaseFile, _ number: NodeNumber?, at path: String, _ original: BaseFile?,
        _ modifiedNanoseconds: Int64?
    ) throws(PublishError) -> PreparedFile {
        guard case .git = base.content else {
            return PreparedFile(
                path: path, size: base.size, bytes: .base(base), number: number,
                replaces: original, modifiedNanoseconds: modifiedNanoseconds)
        }
        let bytes = StagedBytes(try fetch(base), size: base.size)
        let hash = try ContentHash(of: bytes, for: .repo)
        return PreparedFile(
            path: path, size: base.size, bytes: .staged(bytes, hash), number: number,
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

    /// Whether files are put together by the store.
    var hasDeltas: Bool {
        files.contains { file in
            if case .staged(_, let hash) = file.bytes { hash.delta != nil } else { false }
        }
    }

    var operationCount: Int { files.count + deletedFiles.count + deletedDirectories.count }
}
