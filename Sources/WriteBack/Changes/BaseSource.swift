package import HubClient
package import SystemPackage

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

    /// Bytes of a file that can be read without the Hub, as far as it is known.
    func presentBytes(of file: BaseFile) -> UInt64
}

extension BaseSource {
    package func presentBytes(of file: BaseFile) -> UInt64 { 0 }
}

/// Takes the bytes of what was committed, so that reading them back fetches nothing.
package protocol ContentSink: Sendable {
    /// - Parameters:
    ///   - file: Where the Hub has it; its identity was compared with the bytes.
    ///   - path: A local file of exactly those bytes, which does not change any more.
    func adopt(_ file: BaseFile, from path: FilePath)
}
