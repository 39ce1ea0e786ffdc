package import HubClient
import RepoCache
package import WriteBack

/// A listing of the cache as the overlay reads it.
struct HubListing: BaseListing {
    let listing: DirectoryListing

    var count: Int { listing.count }

    func index(of name: EntryName) -> Int? {
        name.bytes.withUnsafeBytes { listing.index(ofName: $0) }
    }

    func name(at index: Int) -> EntryName {
        EntryName(listing.withName(at: index) { [UInt8]($0) })
    }

    func kind(at index: Int) -> TreeEntry.Kind { listing.kind(at: index) }

    func modifiedNanoseconds(at index: Int) -> Int64? { listing.modifiedNanoseconds(at: index) }
}

/// The inode numbers of one repo's objects, see `InodeNumbers`.
package struct RepoInodeNumbering: InodeNumbering {
    package let root: UInt64

    /// - Parameter name: What numbers are made from, where it is not the repo's own name: two branches
    ///   of a repo in one mount must not share them.
    package init(repo: RepoID, path: String, numberedAs name: String? = nil) {
        root = InodeNumbers.root(repo: name ?? repo.description, path: path)
    }

    package func child(of parent: UInt64, name: EntryName) -> UInt64 {
        InodeNumbers.child(of: parent, name: name.bytes)
    }
}
