import Crypto
package import HubClient

/// What a workspace belongs to: one branch of one repo at one Hub, or a directory of it.
package struct WorkspaceKey: Hashable, Sendable {
    package let endpoint: String
    package let repo: RepoID
    package let branch: String
    /// The mounted directory, "" for the whole repo.
    package let path: String
    /// As the user named it, to have more than one; "" as a rule.
    package let name: String

    package init(
        endpoint: String, repo: RepoID, branch: String, path: String, name: String = ""
    ) {
        self.endpoint = endpoint
        self.repo = repo
        self.branch = branch
        self.path = path
        self.name = name
    }

    /// The name of its folder: a readable part, and a digest of everything, so that no name of a
    /// user's or server's is ever a path.
    package var folderName: String {
        let text = [endpoint, repo.kind.rawValue, repo.name, branch, path, name]
            .map { "\($0.utf8.count):\($0)" }.joined()
        let digest = SHA256.hash(data: Array(text.utf8)).prefix(8)
        let hex = digest.map { byte in
            String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
        }.joined()
        let readable = repo.name.utf8.map { byte in
            let character = Character(UnicodeScalar(byte))
            return character.isASCII && (character.isLetter || character.isNumber)
                ? String(character) : "-"
        }.joined().prefix(40)
        return "\(readable)-\(hex)"
    }

    /// `models/ns/name@branch/path`, for messages.
    package var description: String {
        "\(repo)@\(branch)" + (path.isEmpty ? "" : "/\(path)") + (name.isEmpty ? "" : " (\(name))")
    }
}
