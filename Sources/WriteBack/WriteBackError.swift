package import SystemPackage

/// Why an edit cannot be kept. RepoFS turns each case into errno (docs/ERRORS.md).
package enum WriteBackError: Error, Hashable, Sendable {
    /// The operation's own verdict, as its man page has it.
    case refused(Errno)
    /// The listing of this directory must be known first; ask the base for it and try again.
    case listingNeeded(NodeNumber, LowerDirectory)
    /// The disk of the workspace has no room above its floor.
    case full
    /// A file of the workspace could not be made, read or changed.
    case disk(Errno, path: String)
    /// SQLite refused; the text is its message.
    case journal(String)
    /// The workspace is in use by another mount; the text says which.
    case inUse(path: String, owner: String)
    /// The workspace lies on a network file system, where its locks do not hold.
    case networkFolder(path: String, fileSystem: String)
    /// A workspace made by a version of hubfs this one does not know.
    case unknownFormat(path: String, version: Int)
    /// What the journal holds contradicts itself.
    case damaged(path: String, reason: String)
}

extension WriteBackError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .refused(let code): "\(code)"
        case .listingNeeded(_, let lower): "the listing of \(lower) is not known yet"
        case .full: "the disk that keeps the edits is full"
        case .disk(let code, let path): "\(path): \(code)"
        case .journal(let message): "the journal of edits: \(message)"
        case .inUse(let path, let owner):
            "this repo and branch are already mounted for writing (\(owner)); unmount that first, "
                + "or give this mount a workspace of its own with --workspace NAME (\(path))"
        case .networkFolder(let path, let fileSystem):
            "the workspace folder \(path) lies on \(fileSystem), where its locks do not hold; "
                + "set XDG_STATE_HOME to a folder on a local disk"
        case .unknownFormat(let path, let version):
            "\(path) has workspace format \(version), made by another version of hubfs; "
                + "commit it with that version"
        case .damaged(let path, let reason): "\(path) is damaged: \(reason)"
        }
    }
}

/// The operation's own verdict: what the man page of the call says.
func refuse(_ code: Errno) -> WriteBackError { .refused(code) }
