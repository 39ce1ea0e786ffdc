import GRDB
package import HubClient
import Platform
package import SystemPackage

extension Journal {
    /// The contents of the base that the edits of all workspaces stand on, told by their journals alone.
    /// Whoever makes room leaves them for last: the Hub may not have them for ever.
    ///
    /// - Parameter state: `$XDG_STATE_HOME/hubfs`. What cannot be read there tells nothing.
    package static func baseContents(in state: FilePath) -> Set<ContentID> {
        let folder = state.appending(Workspace.folderName)
        guard let names = try? Folder.names(in: folder) else { return [] }
        return names.reduce(into: []) { contents, name in
            let journal = folder.appending(name).appending(Workspace.journalName)
            contents.formUnion((try? baseContents(at: journal)) ?? [])
        }
    }

    /// Changes nothing, and does not disturb a mount that uses the journal.
    private static func baseContents(at path: FilePath) throws -> [ContentID] {
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(1)
        let queue = try DatabaseQueue(path: path.string, configuration: configuration)
        defer { try? queue.close() }
        let names = try queue.read { database in
            try String.fetchAll(
                database,
                sql: "SELECT DISTINCT base_content FROM node WHERE base_content IS NOT NULL")
        }
        return names.compactMap { ContentID(hex: $0) }
    }
}
