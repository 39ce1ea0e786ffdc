import HubClient

/// What becomes of the tree when its base moves over what somebody else changed: decided whole, so
/// that the journal has it in one step before anything of it shows.
///
/// The other side's state shows wherever nothing was edited. What was edited stays as it is; where the
/// other side has something else there, the path is contested. At paths that are yielded, theirs shows
/// and ours is set aside under a name of its own.
///
/// Only used under the overlay's lock.
struct BaseMove {
    /// Paths at which the edits that stay hide something the other side did.
    var contested: Set<ExactPath> = []
    /// Paths that would change under a program that can write to them.
    var busy: Set<ExactPath> = []
    /// Where our own versions of yielded paths are now, from the mounted directory.
    var asides: [String] = []
    var stale: Set<StaleEntry> = []
    /// Objects that lose their names, the deepest first.
    var dropped: [OverlayNode] = []
    /// Objects that are set aside, with their new names.
    var renamed: [(node: OverlayNode, name: EntryName)] = []
    /// Directories through which another one of the base shows from now on, or none.
    var redirects: [NodeNumber: String?] = [:]
    /// Objects the journal must know from now on.
    var recorded: [OverlayNode] = []
    /// Objects that are new, with their places; directories before what is in them.
    var made: [OverlayNode] = []
    /// Whiteouts that are new, and those that go.
    var hidden: [(parent: OverlayNode, name: EntryName)] = []
    var shown: [(parent: OverlayNode, name: EntryName)] = []

    let overlay: Overlay
    let root: OverlayNode
    let oldBase: CommitOID
    let newBase: CommitOID
    let newFiles: [ExactPath: TreeDifference.File]
    let newFolders: Set<ExactPath>
    let goneFiles: Set<ExactPath>
    let removedFolders: Set<ExactPath>
    let addedFolders: Set<ExactPath>
    /// Objects that were dropped or set aside: their old names are free.
    var departed: Set<NodeNumber> = []
    var droppedNumbers: Set<NodeNumber> = []
    var madeChildren: [StaleEntry: OverlayNode] = [:]
    var hiddenEntries: Set<StaleEntry> = []
    var shownEntries: Set<StaleEntry> = []

    /// - Parameters:
    ///   - base: The commit the tree stands on, or stood on when the difference begins there.
    ///   - commit: The one it is to stand on.
    ///   - yielded: Paths at which theirs is to show; of two, none is below the other.
    ///   - ours: Paths whose state is ours and no edit any more, whatever the other side did.
    /// - Throws: `.listingNeeded`, as every operation.
    init(
        _ overlay: Overlay, root: OverlayNode, from base: CommitOID, to commit: CommitOID,
        _ difference: TreeDifference, yielding yielded: Set<ExactPath>,
        keeping ours: Set<ExactPath>
    ) throws(WriteBackError) {
        self.overlay = overlay
        self.root = root
        oldBase = base
        newBase = commit
        let files = difference.files.filter { !ours.contains(ExactPath($0.path)) }
        var newFiles: [ExactPath: TreeDifference.File] = [:]
        var newFolders: Set<ExactPath> = []
        for file in difference.same { newFiles[ExactPath(file.path)] = file }
        for file in difference.files where file.content != nil {
            newFiles[ExactPath(file.path)] = file
            newFolders.formUnion(ExactPath(file.path).parents)
        }
        self.newFiles = newFiles
        self.newFolders = newFolders
        goneFiles = Set(
            difference.files.filter { $0.content == nil }.map { ExactPath($0.path) })
        removedFolders = Set(difference.removedDirectories.map { ExactPath($0) })
        addedFolders = Set(difference.addedDirectories.map { ExactPath($0) })
        let movedRoots = movedDirectories(below: root)
        for path in yielded.sorted(by: { $0.text.utf8.count < $1.text.utf8.count }) {
            try yield(path)
        }
        for file in files { visit(file) }
        for directory in movedRoots {
            for file in difference.files { try pin(file, in: directory) }
        }
        // The deepest first, so that a directory is empty when its turn comes.
        for path in removedFolders.sorted(by: { $0.text.utf8.count > $1.text.utf8.count }) {
            removeDirectory(path)
        }
        for directory in movedRoots { leaveRemoved(directory) }
    }

    var isEmpty: Bool {
        dropped.isEmpty && renamed.isEmpty && redirects.isEmpty && made.isEmpty && hidden.isEmpty
            && shown.isEmpty
    }
}
