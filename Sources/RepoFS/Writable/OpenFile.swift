import Platform
import RepoCache
import WriteBack

/// One open of a file on a writable mount.
final class OpenFile: Sendable {
    let file: WorkingFile
    let isForWriting: Bool
    /// Contents of the base that reads of this handle needed, kept open until release.
    private let contents = Guarded<[BaseFile: OpenContent]>([:], rank: .leaf)

    init(_ file: WorkingFile, isForWriting: Bool) {
        self.file = file
        self.isForWriting = isForWriting
    }

    /// The content of a base file, opened at its first use.
    func content(of file: BaseFile, in base: BaseTree) throws(CacheError) -> OpenContent {
        if let known = contents.withLock({ $0[file] }) { return known }
        let opened = try base.open(file)
        let winner = contents.withLock { contents in
            if let other = contents[file] { return other }
            contents[file] = opened
            return opened
        }
        if winner !== opened { opened.close() }
        return winner
    }

    func closeContents() {
        let opened = contents.withLock { contents in
            defer { contents = [:] }
            return contents.values.map { $0 }
        }
        for content in opened { content.close() }
    }
}
