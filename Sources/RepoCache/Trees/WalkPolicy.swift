/// Decides when a commit's whole tree is asked for instead of one directory after the other.
///
/// One page of the Hub is 1000 entries, and most repos fit it: the first question about a commit
/// therefore asks for everything below the directory, up to two pages, and nothing else is ever
/// asked. A larger repo has lost two pages' time and is then listed directory by directory, so
/// 100 000 files never stand before the first `ls`. Somebody who lists many directories is walking
/// the tree: then all of it is fetched once more in the background, as far as memory allows,
/// because 300 directories at 100 ms each are half a minute and 10 pages are one second.
/// (docs/decisions/0005-tree-listing.md)
struct WalkPolicy {
    /// Entries of the first question: what stands on a second page, of directories and files
    /// together, would cost as much by itself.
    static let firstEntryCountMax = 2000
    /// Directories asked for one by one that make a walk.
    static let walkDirectoryCount = 8
    /// Entries of a background listing; about 10 MB of memory while it is split up.
    static let walkEntryCountMax = 20_000
    /// Entries of one directory.
    static let directoryEntryCountMax = 1_000_000

    enum Question: Equatable {
        /// Everything below the directory, up to two pages.
        case recursive
        /// The directory alone; with `walks`, everything below the root in the background too.
        case directory(walks: Bool)
    }

    private var hasAskedFirst = false
    private var directoryCount = 0

    /// The next question to the Hub about this commit.
    mutating func next() -> Question {
        guard hasAskedFirst else {
            hasAskedFirst = true
            return .recursive
        }
        directoryCount += 1
        return .directory(walks: directoryCount == Self.walkDirectoryCount)
    }
}
