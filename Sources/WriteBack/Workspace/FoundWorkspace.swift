import Glibc
import HubClient
import Platform
package import SystemPackage

/// A workspace as it lies on disk, looked at without opening it: nothing is changed, and a mount that
/// uses it is not disturbed.
package struct FoundWorkspace: Sendable {
    package let folder: FilePath
    package let key: WorkspaceKey
    package let summary: WorkspaceSummary
    /// Who has it open, in that process's words; nil for nobody.
    package let user: String?

    /// The name of its folder, by which it can be told from others.
    package var name: String { folder.lastComponent?.string ?? "" }

    /// The workspaces in hubfs's state folder, by name, and those that cannot be read.
    ///
    /// - Parameter state: `$XDG_STATE_HOME/hubfs`.
    package static func all(
        in state: FilePath
    ) throws(WriteBackError) -> (found: [FoundWorkspace], unreadable: [WriteBackError]) {
        let folder = state.appending(Workspace.folderName)
        let names: [String]
        do throws(Errno) {
            names = try Folder.names(in: folder)
        } catch .noSuchFileOrDirectory {
            return ([], [])
        } catch {
            throw .disk(error, path: folder.string)
        }
        var found: [FoundWorkspace] = []
        var unreadable: [WriteBackError] = []
        for name in names.sorted() {
            do throws(WriteBackError) {
                if let workspace = try FoundWorkspace(folder.appending(name)) {
                    found.append(workspace)
                }
            } catch {
                unreadable.append(error)
            }
        }
        return (found, unreadable)
    }

    /// - Returns: nil for a folder without a journal: its mount did not get that far.
    private init?(_ folder: FilePath) throws(WriteBackError) {
        self.folder = folder
        let journal = folder.appending(Workspace.journalName)
        guard let usedSeconds = Self.usedSeconds(folder) else { return nil }
        let contents = try Journal.look(at: journal)
        guard let key = contents.owner.flatMap({ WorkspaceKey(encoded: $0) }) else {
            throw .damaged(path: journal.string, reason: "it does not say what it belongs to")
        }
        self.key = key
        summary = WorkspaceSummary(contents, usedSeconds: usedSeconds)
        user = try Self.user(of: folder)
    }

    /// When a workspace was last written to, seconds since 1970; nil when there is none.
    static func usedSeconds(_ folder: FilePath) -> Int64? {
        // SQLite's log is written first and moved into the main file now and then.
        let times = ["", "-wal"].compactMap { suffix in
            let path = FilePath(folder.appending(Workspace.journalName).string + suffix)
            return ((try? Folder.status(path)) ?? nil).map { Int64($0.st_mtim.tv_sec) }
        }
        return times.max()
    }

    private static func user(of folder: FilePath) throws(WriteBackError) -> String? {
        let path = folder.appending(Workspace.lockName)
        do {
            let file = try FileDescriptor.open(
                path, .readOnly, options: [.closeOnExec, .noFollow])
            defer { try? file.close() }
            // Shared, so that two that look are not in each other's way.
            if try file.lock(.shared, waits: false) { return nil }
            return Workspace.words(in: file)
        } catch Errno.noSuchFileOrDirectory {
            return nil
        } catch {
            throw .disk((error as? Errno) ?? .ioError, path: path.string)
        }
    }
}
