/// At which paths a mount that follows a branch has shown something else before, and since when it
/// shows what it shows now.
///
/// It decides two things that programs take for identity. `st_ino`: what takes the place of
/// something else gets a number of its own, because somebody may hold the other open still. `st_mtime`:
/// what did not change keeps its date, whatever is committed. Pure, and kept apart from the inodes,
/// which the kernel forgets when it likes.
///
/// A path is known by the inode number that it has by itself (`InodeNumbers.child`).
struct PathHistory {
    /// A commit that the mount went to.
    struct Moment: Hashable {
        /// 0 is the commit it began with.
        let move: UInt32
        /// The commit's date, since 1970. Later commits can have earlier dates.
        let nanoseconds: Int64
    }

    private struct Mark {
        var changed: Moment
        /// The move at which another object took the path; 0 for never.
        var replacedBy: UInt32 = 0
        /// Of a directory that changed while nobody looked: which of its entries did is not known, so
        /// none is older than that.
        var below: Moment?
    }

    /// Paths that are remembered: about 20 MB. Beyond, all are forgotten: what did not change since
    /// shows the date of that moment, and numbers are those of the paths again.
    static let pathCountMax = 200_000

    private var marks: [UInt64: Mark] = [:]
    /// What was not changed since is dated so.
    private(set) var first: Moment
    private(set) var now: Moment

    init(nanoseconds: Int64) {
        first = Moment(move: 0, nanoseconds: nanoseconds)
        now = first
    }

    /// Goes to the next commit; what changes from here on changes at it.
    mutating func move(nanoseconds: Int64) {
        now = Moment(move: now.move &+ 1, nanoseconds: nanoseconds)
        guard marks.count > Self.pathCountMax else { return }
        marks = [:]
        first = now
    }

    /// The object at the path is the same, but has changed.
    mutating func change(_ path: UInt64) {
        marks[path, default: Mark(changed: now)].changed = now
    }

    /// What the path shows from now on, if anything, is another object.
    mutating func replace(_ path: UInt64) {
        change(path)
        marks[path]!.replacedBy = now.move
    }

    /// Something below the directory has changed, or all of it is new.
    mutating func changeBelow(_ path: UInt64) {
        change(path)
        marks[path]!.below = now
    }

    /// `st_ino` of what the path shows now.
    func number(of path: UInt64) -> UInt64 {
        guard !marks.isEmpty, let mark = marks[path], mark.replacedBy > 0 else { return path }
        let salt = withUnsafeBytes(of: mark.replacedBy.littleEndian) { Array($0) }
        return InodeNumbers.child(of: path, name: salt)
    }

    /// When the object at a path last changed.
    ///
    /// - Parameter directory: `momentBelow` of the directory that it is in.
    func moment(of path: UInt64, in directory: Moment) -> Moment {
        guard !marks.isEmpty, let mark = marks[path] else { return directory }
        return mark.changed.move >= directory.move ? mark.changed : directory
    }

    /// When the entries of a directory changed that have no other date.
    func momentBelow(_ path: UInt64, in directory: Moment) -> Moment {
        guard !marks.isEmpty, let below = marks[path]?.below else { return directory }
        return below.move >= directory.move ? below : directory
    }
}
