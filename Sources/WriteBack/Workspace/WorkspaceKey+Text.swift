import FoundationEssentials
import HubClient

// What a workspace belongs to, as its journal keeps it: a folder that was left behind must say
// where its edits go, and its name is a digest that cannot be read back.
extension WorkspaceKey {
    private struct Stored: Codable {
        let endpoint: String
        let kind: String
        let repo: String
        let branch: String
        let path: String
        let name: String
    }

    func encoded() throws(WriteBackError) -> String {
        let stored = Stored(
            endpoint: endpoint, kind: repo.kind.rawValue, repo: repo.name, branch: branch,
            path: path, name: name)
        do {
            return String(decoding: try JSONEncoder().encode(stored), as: UTF8.self)
        } catch {
            throw .journal("the workspace's name cannot be written: \(error)")
        }
    }

    /// - Returns: nil when the text is no key of this version.
    init?(encoded text: String) {
        guard let stored = try? JSONDecoder().decode(Stored.self, from: Data(text.utf8)),
            let kind = RepoKind(rawValue: stored.kind)
        else { return nil }
        self.init(
            endpoint: stored.endpoint, repo: RepoID(kind: kind, name: stored.repo),
            branch: stored.branch, path: stored.path, name: stored.name)
    }
}
