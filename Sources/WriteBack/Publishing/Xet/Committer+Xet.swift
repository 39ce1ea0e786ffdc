import HubClient
import Logging
import Platform

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

    /// Begins to make files whole for the cache, while their chunks are on their way.
    func beginFilling(_ files: some Sequence<PreparedFile>) {
        if sink == nil { return }
        filling.start(
            files.compactMap { file in
                if case .staged(let bytes, _) = file.bytes { bytes } else { nil }
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
