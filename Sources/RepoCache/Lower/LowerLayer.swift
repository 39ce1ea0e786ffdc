import Glibc
import HubClient
import Logging
import Platform
import SystemPackage

/// The official client's cache as a place where contents may be found: read only, and believed only
/// so far.
///
/// ```
/// models--ns--name/blobs/OID             the bytes, under the sha256 of an LFS file or a git blob's oid
/// models--ns--name/snapshots/COMMIT/a/b  a link to them; the bytes themselves where links cannot be made
/// ```
///
/// A blob counts when it has the entry's size. Contents that are verified before they are read
/// elsewhere are hashed here as well before their first byte is served; larger ones are served at once
/// and hashed beside that (docs/decisions/0016). Each file is hashed once: the verdict is remembered with
/// the file's identity. Nothing below the folder is ever changed.
///
/// Source: huggingface_hub, "Understand caching"; its `file_download.py`.
final class LowerLayer: Sendable {
    private enum Verdict {
        case right
        case wrong
    }

    private static let missingSeconds = 1.0

    private let root: FilePath
    private let missingUntil = Guarded<MonotonicInstant?>(nil, rank: .leaf)
    private let database: CacheDatabase
    private let logger: Logger
    /// By the name of a content: which file was looked at, and what was found. Bounded by the files
    /// there are.
    private let verdicts: Guarded<[String: (identity: String, verdict: Verdict)]>

    /// - Parameter root: The folder in which repos have their folders; need not exist.
    init(_ root: FilePath, database: CacheDatabase, logger: Logger) {
        self.root = root
        self.database = database
        self.logger = logger
        var known: [String: (identity: String, verdict: Verdict)] = [:]
        do throws(CacheError) {
            for file in try database.lowerFiles() {
                known[file.hex] = (file.identity, file.isRight ? .right : .wrong)
            }
        } catch {
            logger.warning("what was found of \(root) before cannot be read: \(error)")
        }
        verdicts = Guarded(known, rank: .leaf)
    }

    /// A content's file, if there is one that may be right.
    func open(_ location: ContentLocation) -> LowerFile? {
        if isMissing { return nil }
        let hex = location.content.hex
        for path in places(of: location) {
            guard let file = Self.openFile(path) else { continue }
            guard let status = try? file.status(), status.st_mode & S_IFMT == S_IFREG,
                status.st_size == location.size,
                verdict(on: LowerFile.identity(status), of: hex) != .wrong
            else {
                try? file.close()
                continue
            }
            return LowerFile(file, status: status) { verdict(on: $0, of: hex) == .right }
        }
        return nil
    }

    /// Whether there is a file that `open` would give.
    func holds(_ location: ContentLocation) -> Bool { open(location) != nil }

    /// Remembers what hashing a file has found.
    func note(_ file: LowerFile, of location: ContentLocation, isRight: Bool) {
        let hex = location.content.hex
        verdicts.withLock { $0[hex] = (file.identity, isRight ? .right : .wrong) }
        if !isRight {
            logger.warning(
                "\(location.path): the file in \(root) is not what its name says, and is not used")
        }
        do throws(CacheError) {
            try database.note(LowerFileRow(hex: hex, identity: file.identity, isRight: isRight))
        } catch {
            logger.warning("the verdict on \(hex) is not remembered: \(error)")
        }
    }

    /// Whether there is no such cache, as for most who only mount. A look holds for a while: somebody who
    /// reads thousands of small files would otherwise ask for four names of each.
    private var isMissing: Bool {
        let now = MonotonicInstant.now
        if let until = missingUntil.withLock({ $0 }), now < until { return true }
        let isMissing = (try? Folder.status(root)) == nil
        missingUntil.withLock {
            $0 = isMissing ? now.advanced(bySeconds: Self.missingSeconds) : nil
        }
        return isMissing
    }

    private func verdict(on identity: String, of hex: String) -> Verdict? {
        verdicts.withLock { verdicts in
            verdicts[hex].flatMap { $0.identity == identity ? $0.verdict : nil }
        }
    }

    /// Where the official client may have put a content. The Hub's answers give repos their whole names;
    /// whoever asked for an old model by its bare name has it under that.
    private func places(of location: ContentLocation) -> [FilePath] {
        let parts = location.repo.name.split(separator: "/").map(String.init)
        var names = [parts]
        if parts.count > 1, location.repo.kind == .model { names.append([parts[parts.count - 1]]) }
        return names.flatMap { parts in
            let folder = root.appending(
                ([location.repo.kind.apiName] + parts).joined(separator: "--"))
            return [
                folder.appending("blobs").appending(location.content.hex),
                folder.appending("snapshots").appending(location.commit.hex)
                    .appending(location.path),
            ]
        }
    }

    /// Never waits for what is no file.
    private static func openFile(_ path: FilePath) -> FileDescriptor? {
        try? FileDescriptor.open(path, .readOnly, options: [.closeOnExec, .nonBlocking])
    }
}

/// What is remembered of a file of the official client's cache.
struct LowerFileRow: Sendable {
    let hex: String
    /// `LowerFile.identity`.
    let identity: String
    let isRight: Bool
}
