package import HubClient
package import SystemPackage

/// Why the cache cannot answer. RepoFS turns each case into errno (docs/ERRORS.md).
package enum CacheError: Error, Hashable, Sendable {
    /// The Hub gave no answer; what is cached stays readable.
    case hub(HubError)
    /// The bytes that arrived are not those the content's name promises. They were dropped.
    case integrity(ContentID)
    /// No block of the read arrived within the read time-out.
    case timedOut(ContentID, offset: UInt64, count: Int)
    /// The disk has no room for the bytes of the read, and the memory budget had none within the
    /// read time-out, or never can have.
    case full(ContentID)
    /// A file of the cache could not be made, read or changed.
    case disk(Errno, path: String)
    /// SQLite refused; the text is its message.
    case database(String)
    /// The cache folder lies on a network file system, where locks and shared mappings do not hold.
    case networkFolder(path: String, fileSystem: String)
    /// A cache in this folder was made by a version of hubfs this one does not know.
    case unknownFormat(path: String, version: Int)
    /// A directory lists more entries than hubfs takes.
    case listingTooLong(path: String, entryCountMax: Int)
    /// The reader gave up, see `ReadTicket.cancel`.
    case cancelled
    /// The cache or the content was closed while the read waited.
    case closed
}

extension CacheError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .hub(.offline): "not in the cache, and \(HubError.offline.sentence)"
        case .hub(let error): "the Hub did not answer: \(error)"
        case .integrity(let content): "content \(content.hex) arrived damaged and was dropped"
        case .timedOut(let content, let offset, let count):
            "no bytes arrived in time for \(count) bytes at \(offset) of \(content.hex)"
        case .full(let content): "no room on disk or in memory for content \(content.hex)"
        case .disk(let code, let path): "\(path): \(code)"
        case .database(let message): "cache database: \(message)"
        case .networkFolder(let path, let fileSystem):
            "the cache folder \(path) lies on \(fileSystem), where its locks do not hold; "
                + "set HUBFS_CACHE to a folder on a local disk"
        case .unknownFormat(let path, let version):
            "\(path) has cache format \(version), made by another version of hubfs; "
                + "remove it or set HUBFS_CACHE to another folder"
        case .listingTooLong(let path, let entryCountMax):
            "directory \"\(path)\" has more than \(entryCountMax) entries"
        case .cancelled: "the read was cancelled"
        case .closed: "the cache was closed"
        }
    }
}
