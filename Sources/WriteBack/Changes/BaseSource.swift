package import HubClient

/// What a commit must know of the Hub's side of the tree, and the bytes of the base that are below an
/// edit. RepoFS answers from the cache, or from the Hub.
///
/// These wait for the network: only the commit's own thread asks.
package protocol BaseSource: Sendable {
    /// One directory of a commit.
    ///
    /// - Parameter path: From the mounted directory.
    func listing(of path: String, at commit: CommitOID) throws(PublishError) -> any BaseListing

    /// Makes sure that a commit the tree is about to stand on can be listed.
    func prepare(_ commit: CommitOID) throws(PublishError)

    /// Fills `buffer` with the bytes of a file from `offset` on.
    func read(
        _ file: BaseFile, at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(PublishError)
}

/// Takes the bytes of what was committed, so that reading them back fetches nothing.
package protocol ContentSink: Sendable {
    /// - Parameters:
    ///   - content: The identity of all bytes of `file`, verified.
    ///   - size: Bytes; the file may be longer.
    func adopt(_ content: ContentID, size: UInt64, from file: StagingFile)
}
