import HubClient
import Platform
import SystemPackage

extension Committer {
    /// Asks how each file is to be sent, and brings to LFS storage what belongs there. Files that the
    /// repo's `.gitignore` excludes leave `prepared`.
    ///
    /// - Returns: how each staged file is sent, by path from the mounted directory.
    func upload(
        _ prepared: inout Prepared, _ localOnly: inout [LocalOnly]
    ) throws(PublishError) -> [ExactPath: PreuploadVerdict.Mode] {
        var modes: [ExactPath: PreuploadVerdict.Mode] = [:]
        var ignored: Set<ExactPath> = []
        let staged = prepared.files.filter(\.isStaged)
        var gitIgnore: String?
        if rootPath.isEmpty, let file = staged.first(where: { $0.path == ".gitignore" }) {
            gitIgnore = try text(of: file)
        }
        var start = 0
        while start < staged.count {
            let batch = Array(
                staged[start..<min(start + HubClient.preuploadCountMax, staged.count)])
            for (file, verdict) in zip(batch, try preupload(batch, gitIgnore: gitIgnore)) {
                // What the repo has already is not ignored, whatever .gitignore says; a directory
                // that was renamed goes with all that the repo has in it.
                if verdict.isIgnored, file.replaces == nil, file.number != nil {
                    ignored.insert(ExactPath(file.path))
                }
                modes[ExactPath(file.path)] = verdict.mode
            }
            start += batch.count
        }
        CrashPoint.preuploaded.pass()
        try nameForGit(&prepared, modes)
        for path in ignored { localOnly.append(LocalOnly(path: path.text, reason: .gitIgnored)) }
        prepared.files.removeAll { ignored.contains(ExactPath($0.path)) }
        let refused = try uploadObjects(
            prepared.files.filter { $0.isStaged && modes[ExactPath($0.path)] == .lfs })
        for file in refused {
            localOnly.append(LocalOnly(path: file.path, reason: .refused(file.reason)))
        }
        let refusedPaths = Set(refused.map { ExactPath($0.path) })
        prepared.unkept = prepared.files.filter {
            $0.number == nil && refusedPaths.contains(ExactPath($0.path))
        }.map(\.path)
        prepared.files.removeAll { refusedPaths.contains(ExactPath($0.path)) }
        return modes
    }

    /// Gives files that go into git after all the names for it: large ones have none yet.
    private func nameForGit(
        _ prepared: inout Prepared, _ modes: [ExactPath: PreuploadVerdict.Mode]
    ) throws(PublishError) {
        for (index, file) in prepared.files.enumerated() {
            guard case .staged(let bytes, let hash) = file.bytes,
                modes[ExactPath(file.path)] != .lfs
            else { continue }
            let named = try hash.withGitName(of: bytes)
            if named !== hash { prepared.files[index] = file.hashed(named) }
        }
    }

    private func preupload(
        _ files: [PreparedFile], gitIgnore: String?
    ) throws(PublishError) -> [PreuploadVerdict] {
        var asked: [PreuploadFile] = []
        for file in files {
            asked.append(
                PreuploadFile(
                    path: inRepo(file.path), size: file.size, sample: try file.sample()))
        }
        let questions = asked
        return try ask {
            client.preupload(
                repo, to: branch, files: questions, gitIgnore: gitIgnore, completion: $0)
        }
    }

    /// A file the Hub does not take, and why.
    private struct RefusedFile {
        let path: String
        let reason: String
    }

    /// - Returns: what the Hub does not take.
    private func uploadObjects(_ files: [PreparedFile]) throws(PublishError) -> [RefusedFile] {
        var objects: [LFSOID: PreparedFile] = [:]
        for file in files {
            if case .staged(_, let hash) = file.bytes, case .lfs(let oid) = hash.content(.lfs) {
                objects[oid] = file
            }
        }
        let total = objects.values.reduce(0) { $0 + $1.size }
        progress { progress in
            progress.step = .uploading
            (progress.doneBytes, progress.totalBytes) = (0, total)
        }
        if try uploadByXet(objects) { return [] }
        let pending = objects.sorted { $0.key < $1.key }
        var refused: [RefusedFile] = []
        var start = 0
        while start < pending.count {
            let batch = Array(
                pending[start..<min(start + HubClient.lfsBatchCountMax, pending.count)])
            for (oid, reason) in try upload(batch) {
                // One object can be several files.
                refused += files.filter { $0.isObject(oid) }.map {
                    RefusedFile(path: $0.path, reason: reason)
                }
            }
            start += batch.count
        }
        return refused
    }

    /// Sends what the Hub does not have of one batch, several objects at a time. Signed URLs that
    /// have expired meanwhile are asked for once again.
    ///
    /// - Returns: objects that the Hub does not take, with its words.
    private func upload(
        _ batch: [(key: LFSOID, value: PreparedFile)]
    ) throws(PublishError) -> [(LFSOID, String)] {
        var pending = batch
        var refused: [(LFSOID, String)] = []
        for _ in 0..<Self.batchCountMax {
            let objects = pending.map { LFSObject(oid: $0.key, size: $0.value.size) }
            let verdicts = try ask {
                client.lfsBatch(repo, to: branch, objects: objects, completion: $0)
            }
            var uploads: [(PreparedFile, LFSUpload)] = []
            for ((oid, file), verdict) in zip(pending, verdicts) {
                switch verdict {
                case .present: progress { $0.doneBytes += file.size }
                case .refused(_, let message): refused.append((oid, message))
                case .upload(let upload): uploads.append((file, upload))
                }
            }
            let expired = try send(uploads)
            if expired.isEmpty { return refused }
            pending = pending.filter { expired.contains($0.key) }
        }
        throw .hub(.unreachable(url: "", reason: "signed upload URLs expire before they are used"))
    }

    /// Batches asked for the same objects before giving up on URLs that are expired at once.
    private static let batchCountMax = 3

    /// Sends objects side by side; the client bounds how many parts are on their way at once.
    ///
    /// - Returns: those whose URLs had expired.
    private func send(_ uploads: [(PreparedFile, LFSUpload)]) throws(PublishError) -> Set<LFSOID> {
        let running = ObjectTransfers()
        var results: [(LFSOID, Result<Void, UploadFailure>)] = []
        for (file, upload) in uploads {
            guard case .staged(let bytes, _) = file.bytes else { continue }
            try bytes.makeWhole()
            if running.count >= Self.objectCountMax { results.append(running.waitForOne()) }
            try local { () throws(WriteBackError) in
                try running.start(upload, from: bytes.store, client) { [self] bytes in
                    progress { progress in
                        progress.doneBytes = UInt64(max(0, Int64(progress.doneBytes) + bytes))
                    }
                }
            }
            if isStopping.update({ $0 }) { running.cancel() }
        }
        while running.count > 0 { results.append(running.waitForOne()) }
        return try expired(of: results)
    }

    /// Objects whose uploads are begun before one has ended.
    private static let objectCountMax = 8

    private func expired(
        of results: [(LFSOID, Result<Void, UploadFailure>)]
    ) throws(PublishError) -> Set<LFSOID> {
        var expired: Set<LFSOID> = []
        for (oid, result) in results {
            switch result {
            case .success: break
            case .failure(.expired): expired.insert(oid)
            case .failure(.unreadable(let text)):
                throw .workspace(.disk(.ioError, path: text))
            case .failure(.failed(let error)): throw .hub(error)
            }
        }
        return expired
    }
}

/// Uploads under way, and those that have ended and were not taken.
private final class ObjectTransfers: Sendable {
    private struct State {
        var running: [LFSOID: any Sending] = [:]
        var ended: [(LFSOID, Result<Void, UploadFailure>)] = []
        var count = 0
        var sent: [LFSOID: UInt64] = [:]
        var isCancelled = false
    }

    private let state = Monitor(State())

    /// Uploads that were started and not taken.
    var count: Int { state.update { $0.count } }

    /// - Parameter progress: Bytes sent since the last call; negative when a part starts over.
    func start(
        _ upload: LFSUpload, from store: StagingFile, _ client: HubClient,
        progress: @escaping @Sendable (Int64) -> Void
    ) throws(WriteBackError) {
        let oid = upload.object.oid
        store.retain()
        let descriptor: FileDescriptor
        do throws(WriteBackError) {
            descriptor = try store.descriptorWhileRetained()
        } catch {
            store.release()
            throw error
        }
        state.update { $0.count += 1 }
        let sending = client.upload(upload, from: descriptor) { [state] sent in
            CrashPoint.uploading.pass()
            let change = state.update { state in
                defer { state.sent[oid] = sent }
                return Int64(sent) - Int64(state.sent[oid] ?? 0)
            }
            progress(change)
        } completion: { [state] result in
            if case .success = result { CrashPoint.objectUploaded.pass() }
            store.release()
            state.update { state in
                state.ended.append((oid, result))
                state.running[oid] = nil
            }
        }
        let isCancelled = state.update { state in
            if !state.ended.contains(where: { $0.0 == oid }) { state.running[oid] = sending }
            return state.isCancelled
        }
        if isCancelled { sending.cancel() }
    }

    func waitForOne() -> (LFSOID, Result<Void, UploadFailure>) {
        state.wait { state in
            guard let ended = state.ended.popLast() else { return nil }
            state.count -= 1
            return ended
        }!
    }

    func cancel() {
        let running = state.update { state in
            state.isCancelled = true
            return state.running.values.map { $0 }
        }
        for sending in running { sending.cancel() }
    }
}
