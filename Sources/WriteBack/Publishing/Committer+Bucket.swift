import Glibc
import HubClient
import Logging
import Platform

// A bucket takes changes file by file and keeps no history. What a commit is to a repo, a plan is to a bucket:
// it is on disk before the first change is sent, doing it twice is doing it once, and what was begun is
// finished before anything else. (docs/decisions/0033-buckets.md)

extension Committer {
    /// Whether files are published to a bucket, which knows neither commits nor branches.
    var isBucket: Bool { repo.kind == .bucket }

    /// Publishes what was prepared.
    ///
    /// - Returns: as `publish`. What the bucket does not take stays an edit.
    func publishToBucket(
        _ tree: FrozenTree, _ prepared: Prepared, _ changes: ChangeList, _ request: CommitRequest,
        _ selection: ChangeSelection
    ) throws(PublishError) -> CommitReport? {
        var (prepared, changes) = (prepared, changes)
        let known = try conflictRecord()
        beginFilling(prepared.files)
        do throws(PublishError) {
            try uploadToStore(prepared.files)
        } catch .hub(let error) where error.refusal?.status == 400 && prepared.hasDeltas {
            logger.notice("the store does not put edited files together: they are read whole")
            readsWhole.update { $0 = true }
            return nil
        }
        CrashPoint.uploaded.pass()
        returnFreedMemory()
        var commit = tree.base
        while !prepared.isEmpty {
            let plan = makePlan(
                tree, prepared, [:], title: "", selection, opensPullRequest: false, isPart: false)
            do throws(PublishError) {
                commit = try sendOrRebase(plan, prepared, [:], request, of: prepared)
                break
            } catch .notTaken(let failures) {
                let reasons = Dictionary(
                    failures.map { (ExactPath($0.path), $0.reason) }, uniquingKeysWith: { $1 })
                let refused = prepared.files.filter { reasons[ExactPath(inRepo($0.path))] != nil }
                // A file that cannot be deleted leaves all as it is, and so does one that cannot be moved: its bytes
                // may be nowhere but at its old place.
                if refused.count < reasons.count || !refused.allSatisfy(\.isStaged) {
                    throw .notTaken(failures)
                }
                changes.localOnly += refused.map {
                    LocalOnly(path: $0.path, reason: .refused(reasons[ExactPath(inRepo($0.path))]!))
                }
                prepared.files.removeAll { reasons[ExactPath(inRepo($0.path))] != nil }
            }
        }
        if prepared.isEmpty {
            try settleUnchanged(tree, prepared, selection)
        } else {
            // What stays in the workspace is edited on.
            try thaw()
            CrashPoint.thawed.pass()
        }
        try forgetConflicts(known, but: changes.localOnly, selection.left)
        return CommitReport(
            commit: commit, changeCount: prepared.operationCount, localOnly: changes.localOnly,
            ref: "")
    }

    /// Brings the bytes of files to the store; a bucket has no other place for them.
    private func uploadToStore(_ files: [PreparedFile]) throws(PublishError) {
        var objects: [ContentID: XetPublication.Object] = [:]
        // An empty file has nothing to store.
        for file in files where file.size > 0 {
            guard case .staged(let bytes, let hash) = file.bytes else { continue }
            objects[hash.content(nil)] = XetPublication.Object(
                file: bytes, sha256: nil, chunks: hash.chunks, delta: hash.delta,
                base: file.replaces)
        }
        let total = objects.values.reduce(0) { $0 + $1.file.size }
        progress { progress in
            progress.step = .uploading
            (progress.doneBytes, progress.totalBytes) = (0, total)
        }
        if objects.isEmpty { return }
        try publication(to: XetUploads(client, repo, to: branch)).publish(
            objects.sorted { $0.key.hex < $1.key.hex }.map(\.value))
    }

    /// Sends one plan and follows it to its end.
    ///
    /// - Throws: `.stale` when others changed the same paths; `.notTaken`.
    func sendToBucket(_ plan: CommitPlan, _ prepared: Prepared) throws(PublishError) -> CommitOID {
        try local { () throws(WriteBackError) in
            let text = try plan.encoded()
            try workspace.journal.writeDurably { try $0.set(.plan, text) }
        }
        CrashPoint.planned.pass()
        progress { $0.step = .committing }
        switch try land(plan, of: prepared.files) {
        case .whole(let commit): return try finish(plan, commit)
        case .refused(let failures):
            try dropPlan()
            throw .notTaken(failures)
        case .foreign:
            try dropPlan()
            throw .stale(head: try ask { client.head(repo, of: branch, completion: $0) })
        }
    }

    /// Finishes a plan whose end nobody saw.
    ///
    /// - Returns: the state that it has made; nil when it is to be made anew.
    func takenState(of plan: CommitPlan) throws(PublishError) -> CommitOID? {
        if case .whole(let commit) = try land(plan, of: []) { commit } else { nil }
    }

    private enum Landing {
        /// The bucket has everything.
        case whole(CommitOID)
        /// Somebody else has changed a path.
        case foreign
        /// The rest was taken.
        case refused([BucketFailure])
    }

    /// Has the bucket become as planned, where it is not yet.
    ///
    /// - Parameter files: What the plan was made of; none of a plan that was found.
    private func land(
        _ plan: CommitPlan, of files: [PreparedFile]
    ) throws(PublishError) -> Landing {
        guard let parent = plan.parentCommit else { return .foreign }
        let copies = Set(files.filter { !$0.isStaged }.map { ExactPath(inRepo($0.path)) })
        var base = BaseContents(source, at: parent)
        var deletions = plan.deletedFiles
        for path in plan.deletedDirectories {
            deletions += try filesBelow(path, at: parent).map(\.path)
        }
        // A folder that was made anew has some of its files again.
        let put = Set(plan.puts.map { ExactPath($0.path) })
        deletions.removeAll { put.contains(ExactPath($0)) }
        let wanted: [(path: String, put: CommitPlan.Put?)] =
            plan.puts.map { ($0.path, $0) } + deletions.map { ($0, nil) }
        let now = try contents(at: wanted.map(\.path))
        var left: [BucketOperation] = []
        var dates: [ExactPath: Int64] = [:]
        for (path, put) in wanted {
            let found = now[ExactPath(path)]
            if found?.treeContent == put?.content {
                dates[ExactPath(path)] = found?.dateNanoseconds
                continue
            }
            guard let inMount = inMount(path),
                try found?.treeContent == base.content(at: inMount)
            else { return .foreign }
            let operation = operation(path, put, isCopy: copies.contains(ExactPath(path)))
            dates[ExactPath(path)] = operation.dateNanoseconds
            left.append(operation)
        }
        // Nothing is deleted while something has not come to its new place.
        for operations in [left.filter { !$0.isDeletion }, left.filter(\.isDeletion)] {
            let failures = try apply(operations)
            if !failures.isEmpty { return .refused(failures) }
        }
        CrashPoint.answered.pass()
        return .whole(try state(after: parent, plan, dates, deletions))
    }

    /// - Parameter isCopy: The bucket has the bytes elsewhere.
    private func operation(
        _ path: String, _ put: CommitPlan.Put?, isCopy: Bool
    ) -> BucketOperation {
        guard let put, case .xet(let oid) = put.content else { return .delete(path: path) }
        let time = (put.modifiedNanoseconds ?? nanosecondsSince1970()) / 1_000_000
        return isCopy
            ? .copy(path: path, oid, changedMilliseconds: time)
            : .add(path: path, oid, changedMilliseconds: time)
    }

    /// Sends operations, copies first, then files, then deletions, so that what breaks off leaves more than
    /// was meant, never less. What fails is tried once again.
    private func apply(_ operations: [BucketOperation]) throws(PublishError) -> [BucketFailure] {
        var left = operations.sorted { $0.order < $1.order }
        var failures: [BucketFailure] = []
        for _ in 0..<Self.tryCountMax where !left.isEmpty {
            failures = []
            for start in stride(from: 0, to: left.count, by: HubClient.bucketBatchCountMax) {
                try checkStop()
                let end = min(start + HubClient.bucketBatchCountMax, left.count)
                let batch = Array(left[start..<end])
                failures += try ask { client.changeBucket(repo, batch, completion: $0) }
                CrashPoint.posted.pass()
            }
            let failed = Set(failures.map { ExactPath($0.path) })
            left = left.filter { failed.contains(ExactPath($0.path)) }.map(\.otherWay)
            // What was to be deleted and is gone did not fail.
            let gone = try contents(at: left.filter(\.isDeletion).map(\.path))
            left.removeAll { $0.isDeletion && gone[ExactPath($0.path)] == nil }
            failures.removeAll { failure in
                !left.contains { ExactPath($0.path) == ExactPath(failure.path) }
            }
        }
        return failures
    }

    private static let tryCountMax = 2

    private func contents(at paths: [String]) throws(PublishError) -> [ExactPath: BucketEntry] {
        let entries = try ask { client.bucketFiles(repo, at: paths, completion: $0) }
        return Dictionary(
            entries.map { (ExactPath($0.path), $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// The name of the parent with the plan's changes, and nothing else: what others do meanwhile is found
    /// by comparison with it.
    ///
    /// - Parameter dates: Those that the bucket has, or was told, of what the plan puts there.
    private func state(
        after parent: CommitOID, _ plan: CommitPlan, _ dates: [ExactPath: Int64],
        _ deletions: [String]
    ) throws(PublishError) -> CommitOID {
        var sizes: [ContentID: UInt64] = [:]
        for file in plan.settlement.files { sizes[file.content] = file.size }
        let unknown = plan.puts.filter { sizes[$0.content] == nil }.map(\.path)
        for entry in try contents(at: unknown).values { sizes[.xet(entry.content)] = entry.size }
        let puts = plan.puts.compactMap { put -> BucketEntry? in
            guard case .xet(let oid) = put.content, let size = sizes[put.content] else {
                return nil
            }
            return BucketEntry(
                path: put.path, content: oid, size: size,
                dateNanoseconds: dates[ExactPath(put.path)])
        }
        if !client.knowsState(parent, of: repo) {
            let files = try filesBelow(rootPath, at: parent)
            let kept = client.keepState(of: repo, BucketPart(path: rootPath), files: files)
            guard kept == parent else { throw .baseLost(parent) }
        }
        guard
            let commit = client.bucketState(
                after: parent, of: repo, puts: puts, deletions: deletions)
        else { throw .baseLost(parent) }
        return commit
    }

    /// - Parameter path: From the root of the bucket.
    private func filesBelow(
        _ path: String, at commit: CommitOID
    ) throws(PublishError) -> [BucketEntry] {
        var files: [BucketEntry] = []
        var left = [inMount(path) ?? ""]
        while let folder = left.popLast() {
            let listing: any BaseListing
            do throws(PublishError) {
                listing = try source.listing(of: folder, at: commit)
            } catch .hub(let error) where error.isAbsence && !folder.isEmpty {
                continue
            }
            for index in 0..<listing.count {
                let path = BaseMove.join(folder, listing.name(at: index))
                switch listing.kind(at: index) {
                case .directory: left.append(path)
                case .file(.xet(let oid), let size):
                    files.append(
                        BucketEntry(
                            path: inRepo(path), content: oid, size: size,
                            dateNanoseconds: listing.modifiedNanoseconds(at: index)))
                case .file: break
                }
            }
        }
        return files
    }

    /// Whether a state has a folder, which it has while it has files below it.
    func isFolder(_ path: String, at commit: CommitOID) throws(PublishError) -> Bool {
        do throws(PublishError) {
            _ = try source.listing(of: path, at: commit)
            return true
        } catch .hub(let error) where error.isAbsence {
            return false
        }
    }
}

/// What a commit has at paths, a folder's listing at a time.
private struct BaseContents {
    private let source: any BaseSource
    private let commit: CommitOID
    private var listings: [ExactPath: (any BaseListing)?] = [:]

    init(_ source: any BaseSource, at commit: CommitOID) {
        self.source = source
        self.commit = commit
    }

    /// - Parameter path: From the mounted directory.
    mutating func content(at path: String) throws(PublishError) -> ContentID? {
        let path = ExactPath(path)
        guard let listing = try listing(of: path.parents.first ?? ""),
            case .file(let content, _)? = listing.kind(of: path.name)
        else { return nil }
        return content
    }

    private mutating func listing(
        of folder: ExactPath
    ) throws(PublishError) -> (any BaseListing)? {
        if let known = listings[folder] { return known }
        var listing: (any BaseListing)?
        do throws(PublishError) {
            listing = try source.listing(of: folder.text, at: commit)
        } catch .hub(let error) where error.isAbsence {}
        listings[folder] = .some(listing)
        return listing
    }
}

extension BucketEntry {
    fileprivate var treeContent: ContentID { .xet(content) }
}

extension BucketOperation {
    fileprivate var order: Int {
        switch self {
        case .copy: 0
        case .add: 1
        case .delete: 2
        }
    }

    fileprivate var isDeletion: Bool { order == 2 }

    /// What the bucket shows as the file's date afterwards; nil for a deletion.
    fileprivate var dateNanoseconds: Int64? {
        switch self {
        case .add(_, _, let time), .copy(_, _, let time): time * 1_000_000
        case .delete: nil
        }
    }

    /// What is to be tried when this fails: after a crash nobody knows whether a content was ours.
    fileprivate var otherWay: BucketOperation {
        switch self {
        case .add(let path, let content, let time):
            .copy(path: path, content, changedMilliseconds: time)
        case .copy(let path, let content, let time):
            .add(path: path, content, changedMilliseconds: time)
        case .delete: self
        }
    }
}

private func nanosecondsSince1970() -> Int64 {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
}
