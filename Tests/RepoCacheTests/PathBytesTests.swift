import HubClient
import Testing

@testable import RepoCache

@Suite struct PathBytesTests {
    @Test func pathsAreTakenApartAtTheLastSlash() {
        for (path, directory, name) in [
            ("a/b/c", "a/b", "c"), ("name", "", "name"), ("a/", "a", ""), ("", "", ""),
        ] {
            #expect(PathBytes(path).directory == PathBytes(directory), "\(path)")
            #expect(PathBytes(path).name == name, "\(path)")
        }
    }

    @Test func whatLooksAlikeIsNotTheSame() {
        let (composed, decomposed) = ("d\u{e9}", "de\u{301}")
        #expect(composed == decomposed)
        #expect(PathBytes(composed) != PathBytes(decomposed))
        #expect(Set([PathBytes(composed), PathBytes(decomposed)]).count == 2)
        let commit = CacheFixture.commit
        #expect(
            ListingKey(commit: commit, path: composed, treeOID: nil)
                != ListingKey(commit: commit, path: decomposed, treeOID: nil))
    }

    @Test func aSlashBeforeAnAccentIsASlash() {
        let path = PathBytes("a/\u{301}b")
        #expect(path.directory == PathBytes("a"))
        #expect(Array(path.name.utf8) == Array("\u{301}b".utf8))
    }
}
