import HubClient
import Settings

/// Which repo a section of a configuration file is for, and which one a command works on.
enum RepoSection: Hashable {
    case repo(RepoID)
    /// `hf://` alone.
    case wholeHub

    /// The name of a section: `hf://[TYPE/]ID`, or `hf://`.
    ///
    /// - Throws: `Failure` with code `usage`.
    init(_ section: ConfigFile.Section, of file: ConfigFile) throws(Failure) {
        let source: SourceName
        do throws(Failure) {
            source = try SourceName(
                section.repo, endpoint: HubEnvironment(variables: [:]).endpoint,
                allowsWholeHub: true)
        } catch {
            throw Failure(.usage, "\(file.path):\(section.line): \(error.sentence)")
        }
        if !source.isWholeHub, source.uri.revision != nil || !source.uri.path.isEmpty {
            throw Failure(
                .usage,
                "\(file.path):\(section.line): a section is for a repo as a whole, without revision and "
                    + "folder")
        }
        self = RepoSection(source)
    }

    init(_ source: SourceName) {
        self = source.isWholeHub ? .wholeHub : .repo(source.uri.repo)
    }

    /// What the arguments of a command have in common.
    ///
    /// - Returns: nil when they are no repos, or several.
    init?(of arguments: some Collection<String>, endpoint: String) {
        var found: Set<RepoSection> = []
        for text in arguments {
            let source = try? SourceName(
                text, endpoint: Self.site(of: text) ?? endpoint, allowsWholeHub: true)
            guard let source else { return nil }
            found.insert(RepoSection(source))
        }
        guard found.count == 1, let only = found.first else { return nil }
        self = only
    }

    /// `https://host` of a page. Whether that is the Hub's is looked at when it is mounted or asked.
    private static func site(of text: String) -> String? {
        guard text.hasPrefix("https://") || text.hasPrefix("http://") else { return nil }
        let parts = text.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
        return parts.prefix(3).joined(separator: "/")
    }
}
