import Platform

/// A database file that is being opened beside work that does not need it yet.
///
/// SQLite waits for the disk twice when it makes a log anew, as it does after a clean end: a mount asks
/// the Hub meanwhile.
final class OpeningFile: Sendable {
    private let opened = Monitor<Result<DatabaseFile, CacheError>?>(nil)

    /// Opens on a thread that ends when that is done.
    init(_ open: @escaping @Sendable () throws(CacheError) -> DatabaseFile) {
        let opened = self.opened
        _ = Thread(name: "hubfs-open") {
            let result = Result { () throws(CacheError) in try open() }
            opened.update { $0 = result }
        }
    }

    /// The file, which is waited for.
    ///
    /// - Throws: what opening it has thrown.
    var file: DatabaseFile {
        get throws(CacheError) { try opened.wait { $0 }!.get() }
    }
}
