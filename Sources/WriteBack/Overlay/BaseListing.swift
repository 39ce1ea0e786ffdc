package import HubClient

/// One directory of the base as the overlay needs it: immutable, in memory.
///
/// RepoFS makes one of a listing of the cache; WriteBack knows no cache.
package protocol BaseListing: Sendable {
    var count: Int { get }
    func index(of name: EntryName) -> Int?
    func name(at index: Int) -> EntryName
    func kind(at index: Int) -> TreeEntry.Kind
    /// When an entry was changed, nanoseconds since 1970; nil where that is not listed.
    func modifiedNanoseconds(at index: Int) -> Int64?
}

/// Gives objects of the base their `st_ino`, the same in every mount of the repo.
package protocol InodeNumbering: Sendable {
    var root: UInt64 { get }
    func child(of parent: UInt64, name: EntryName) -> UInt64
}
