import RepoCache

/// Why a name of the whole Hub's tree cannot be shown.
enum CatalogueError: Error, Hashable, Sendable {
    /// The Hub has no such account, repo or revision, or hides it.
    case absent
    /// Too many names that nobody knows, or too many repos, are asked for at once.
    case busy
    case cache(CacheError)
}
