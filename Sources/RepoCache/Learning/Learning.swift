package import SystemPackage

/// What a mount does with the orders in which files were read.
package struct Learning: Sendable {
    /// What is fetched ahead.
    package enum Replay: Sendable {
        /// Nothing.
        case none
        /// What the cache folder knows of the commit, or of another one of the repo, once the reader has shown that he
        /// does the same.
        case learned
        /// This order, at once.
        case given(ReadOrder)
    }

    package var replay: Replay
    /// Where to write what is read, besides the cache folder.
    package var recordPath: FilePath?

    package init(replay: Replay = .learned, recordPath: FilePath? = nil) {
        self.replay = replay
        self.recordPath = recordPath
    }
}
