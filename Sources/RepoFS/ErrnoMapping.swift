package import HubClient
package import RepoCache
package import SystemPackage
package import WriteBack

// The one place where errors become errno. Each line has its reason; docs/ERRORS.md shows the
// same table to users, and ErrnoMappingTests holds the two together.

extension HubError {
    /// What a program that reads the mount is told.
    ///
    /// ENOENT only for what is known to be absent: a Hub that is slow or ill never makes a file
    /// disappear.
    package var errno: Errno {
        switch self {
        case .repoNotFound, .revisionNotFound, .entryNotFound: .noSuchFileOrDirectory  // absent
        case .gated, .badToken, .forbidden: .permissionDenied  // refused: EACCES
        case .rateLimited, .status: .ioError  // the Hub's trouble, after every retry
        case .unreachable: .ioError  // no network, or no progress, within the read time-out
        case .malformed: .ioError  // an answer that cannot be trusted
        case .offline: .networkUnreachable  // the user asked for no network
        case .cancelled: .interrupted  // nobody waits any more
        }
    }
}

extension CacheError {
    /// What a program that reads the mount is told.
    package var errno: Errno {
        switch self {
        case .hub(let error): error.errno
        case .integrity: .ioError  // wrong bytes are never returned
        case .timedOut: .ioError  // every read ends
        case .full: .noSpace  // neither disk nor memory has room for the bytes
        case .disk(.noSpace, _): .noSpace  // the cache's own disk
        case .disk, .database: .ioError  // the cache's own disk, otherwise
        case .networkFolder, .unknownFormat: .ioError  // cannot happen once mounted
        case .listingTooLong: .fileTooLarge  // a directory beyond every limit of the Hub's
        case .cancelled: .interrupted  // nobody waits any more
        case .closed: .ioError  // the mount is ending
        }
    }
}

extension CatalogueError {
    /// What a program that names something in the whole Hub's tree is told.
    var errno: Errno {
        switch self {
        case .absent: .noSuchFileOrDirectory  // the Hub has said so
        case .busy: .resourceTemporarilyUnavailable  // not known yet: EAGAIN, never ENOENT
        case .cache(let error): error.errno
        }
    }
}

extension WriteBackError {
    /// What a program that edits the mount is told.
    package var errno: Errno {
        switch self {
        case .refused(let code): code  // the operation's own verdict
        case .listingNeeded: .ioError  // asked for again and again without an end
        case .full: .noSpace  // the workspace's disk is at its floor
        case .disk, .journal: .ioError  // its own disk, otherwise
        case .inUse, .networkFolder, .unknownFormat, .damaged: .ioError  // not once mounted
        }
    }
}
