import HubClient
import Logging
import Platform
import XetCodec

extension Committer {
    /// Brings objects to the content-addressed store, if the Hub has one for this repo.
    ///
    /// - Returns: whether they are there. Otherwise they go to LFS storage, which every Hub has: without a
    ///   store, and when there is trouble with it.
    func uploadByXet(_ objects: [LFSOID: PreparedFile]) throws(PublishError) -> Bool {
        guard client.configuration.uploadsByXet, !objects.isEmpty else { return false }
        let uploads = XetUploads(client, repo, to: branch)
        beginFilling(objects.values)
        do throws(PublishError) {
            try publication(to: uploads).publish(
                objects.sorted { $0.key < $1.key }.compactMap { oid, file in
                    guard case .staged(let bytes, let hash) = file.bytes else { return nil }
                    return XetPublication.Object(
                        file: bytes, sha256: oid, chunks: hash.chunks, base: file.replaces)
                })
            return true
        } catch .hub(let error) where error != .cancelled && error != .offline {
            if error.refusal?.status == 404 {
                logger.debug("the Hub has no content-addressed store for \(repo)")
            } else {
                logger.warning("large files go to LFS storage, the other store fails: \(error)")
            }
            progress { $0.doneBytes = 0 }
            return false
        }
    }

    /// A file of a bucket as its store puts it together: a large one, or one of which not all is here.
    ///
    /// - Returns: nil for one that is to be read.
    func delta(of bytes: StagedBytes) throws(PublishError) -> FileDelta? {
        guard isBucket, !readsWhole.update({ $0 }), let base = bytes.base,
            case .xet(let oid) = base.content, let hash = XetHash(text: oid.hex),
            let dirty = FileDelta.changes(of: bytes, over: base),
            bytes.size >= Self.deltaBytesMin || source.presentBytes(of: base) < base.size
        else { return nil }
        do {
            let uploads = XetUploads(client, repo, to: branch)
            guard
                let answer = try waitForAnswer({
                    uploads.chunkHashes(of: hash, changing: dirty, completion: $0)
                }).get(),
                let gaps = ChunkGaps(answer, fileSize: base.size),
                let terms = try waitForAnswer({ uploads.terms(of: hash, completion: $0) }).get()
            else { return nil }
            return try FileDelta(of: bytes, over: base, terms, gaps, source)
        } catch {
            // It is read whole: that takes longer.
            logger.info("\(base.path) is not put together by the store: \(error)")
            try checkStop()
            return nil
        }
    }

    /// Larger files are not read even if all of them is here.
    private static let deltaBytesMin: UInt64 = 256 << 20

    /// Begins to make files whole for the cache, while their chunks are on their way.
    func beginFilling(_ files: some Sequence<PreparedFile>) {
        if sink == nil { return }
        filling.start(
            files.compactMap { file in
                if case .staged(let bytes, let hash) = file.bytes, hash.delta == nil {
                    bytes
                } else {
                    nil
                }
            })
    }

    /// - Throws: `.hub` when the Hub gives no token for a store.
    func publication(to uploads: XetUploads) throws(PublishError) -> XetPublication {
        XetPublication(
            uploads: uploads, store: try ask { uploads.open(completion: $0) }, memory: memory,
            source: source, logger: logger,
            progress: { [self] bytes in progress { $0.doneBytes += bytes } },
            checkStop: { [self] () throws(PublishError) in try checkStop() })
    }
}
