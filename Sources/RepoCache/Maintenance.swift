/// A path under which a content was met.
package struct CachedPath: Hashable, Sendable {
    /// `models/ns/name`.
    package let repo: String
    /// From the root of the repo.
    package let path: String
}
