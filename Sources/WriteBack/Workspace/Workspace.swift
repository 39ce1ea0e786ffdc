import FoundationEssentials
package import HubClient
package import Logging
import Platform
package import SystemPackage

/// The folder in which the edits of one branch live until the Hub has them.
///
/// ```
/// workspaces/NAME/        0700
///   lock                  flock of whoever uses it, and its words for that
///   journal.db            Journal; also says what the workspace belongs to
///   staging/12            edited bytes, one file per layer
/// ```
/// Not in the cache: clearing that loses no edit.
package final class Workspace: Sendable {
    package let key: WorkspaceKey
    package let folder: FilePath
    package let overlay: Overlay
    /// What recovery had to drop after a power cut: paths whose last bytes were not synced.
    package let fallenBack: [String]
    /// What was in it when it was opened.
    package let found: WorkspaceSummary
    private let lock: FileDescriptor
    private let logger: Logger
    let journal: Journal
    let staging: Staging

    /// Names of the folder of all workspaces, and of the files in one.
    static let folderName = "workspaces"
    static let journalName = "journal.db"
    static let lockName = "lock"

    /// Paths that the log names after a power cut.
    private static let fallenBackShownMax = 20

    /// Bytes that stay free on the disk, for the journal and a commit to work with.
    package static let floorBytes: UInt64 = 256 << 20

    /// Opens the workspace of a key, making it when it is missing.
    ///
    /// - Parameters:
    ///   - state: The folder of hubfs's state, `$XDG_STATE_HOME/hubfs`.
    ///   - head: The branch's head, the base of a workspace that has no edits.
    ///   - owner: Who opens it, for the message to those who come later.
    /// - Throws: `.inUse` while another mount has it open.
    package init(
        _ key: WorkspaceKey, in state: FilePath, head: CommitOID,
        numbering: any InodeNumbering, owner: String, floorBytes: UInt64 = Workspace.floorBytes,
        logger: Logger
    ) throws(WriteBackError) {
        self.key = key
        self.logger = logger
        folder = state.appending(Self.folderName).appending(key.folderName)
        let stagingFolder = folder.appending("staging")
        let network: String?
        do throws(Errno) {
            try Folder.create(stagingFolder)
            network = try FileSystemFacts(of: folder).networkName
        } catch {
            throw .disk(error, path: folder.string)
        }
        if let network { throw .networkFolder(path: folder.string, fileSystem: network) }
        lock = try Self.lock(folder, owner: owner)
        do throws(WriteBackError) {
            let journalPath = folder.appending(Self.journalName)
            let usedSeconds = FoundWorkspace.usedSeconds(folder) ?? 0
            journal = try Journal(at: journalPath)
            let owner = try key.encoded()
            try journal.write { try $0.set(.owner, owner) }
            try Self.syncNames(of: folder)
            staging = Staging(folder: stagingFolder, journal: journal, floorBytes: floorBytes)
            var contents = try journal.load()
            fallenBack = try Recovery.settle(&contents, journal, staging)
            found = WorkspaceSummary(contents, usedSeconds: usedSeconds)
            overlay = try Overlay(
                contents: contents,
                baseCommit: contents.isEmpty ? head : contents.baseCommit ?? head,
                journal: journal, staging: staging, numbering: numbering)
        } catch {
            try? lock.close()
            throw error
        }
        if !fallenBack.isEmpty {
            let shown = fallenBack.prefix(Self.fallenBackShownMax).joined(separator: ", ")
            let rest = fallenBack.count - Self.fallenBackShownMax
            logger.warning(
                "the machine stopped without warning: \(fallenBack.count) files are as of their last fsync: \(shown)\(rest > 0 ? " and \(rest) more" : "")"
            )
        }
    }

    /// Whether there is a workspace of a key already. It is not opened.
    ///
    /// - Parameter state: The folder of hubfs's state.
    package static func exists(_ key: WorkspaceKey, in state: FilePath) -> Bool {
        let folder = state.appending(folderName).appending(key.folderName)
        return FoundWorkspace.usedSeconds(folder) != nil
    }

    /// Puts a new workspace's place on disk: an fsync in a folder that a power cut takes away would be
    /// worth nothing. It may be new to the disk though a daemon made it before, and was killed.
    private static func syncNames(of folder: FilePath) throws(WriteBackError) {
        var path = folder
        // The workspace, `workspaces`, `hubfs`, and $XDG_STATE_HOME: what can be new.
        for _ in 0..<4 {
            try Staging.sync(path)
            path.removeLastComponent()
        }
    }

    /// The room for edits on the workspace's disk, bytes; zero where it cannot be asked.
    package var room: (totalBytes: UInt64, availableBytes: UInt64) {
        let total = (try? FileSystemFacts(of: folder))?.totalBytes ?? 0
        return (total, (try? staging.floor.availableBytes()) ?? 0)
    }

    /// Grows with every change of a name or of bytes, and when a writer closes a file: what was
    /// committed at the same number is still all there is.
    package var activity: UInt64 { overlay.changeCount &+ staging.activity }

    /// Closes the journal and lets others in. Call once.
    ///
    /// What was edited is on disk then, fsynced or not: the machine may be shut down next, and no
    /// recovery can tell that from a power cut.
    package func close() {
        do throws(WriteBackError) {
            try overlay.syncEverything()
        } catch {
            logger.error("not all edits could be put on disk: \(error)")
        }
        journal.close()
        try? lock.close()
    }

    private static func lock(_ folder: FilePath, owner: String) throws(WriteBackError)
        -> FileDescriptor
    {
        let path = folder.appending(lockName)
        do {
            let file = try FileDescriptor.open(
                path, .readWrite, options: [.create, .closeOnExec, .noFollow],
                permissions: FilePermissions(rawValue: 0o600))
            guard try file.lock(.exclusive, waits: false) else {
                let text = words(in: file)
                try? file.close()
                throw WriteBackError.inUse(path: folder.string, owner: text)
            }
            try file.truncate(to: 0)
            let bytes = Array(owner.utf8.prefix(512))
            try bytes.withUnsafeBytes { try file.writeWhole($0, at: 0) }
            return file
        } catch let error as WriteBackError {
            throw error
        } catch {
            throw .disk((error as? Errno) ?? .ioError, path: path.string)
        }
    }

    /// What the process that holds the lock says of itself.
    static func words(in lock: FileDescriptor) -> String {
        String(unsafeUninitializedCapacity: 512) { bytes in
            (try? lock.readWhole(into: UnsafeMutableRawBufferPointer(bytes), at: 0)) ?? 0
        }
    }
}
