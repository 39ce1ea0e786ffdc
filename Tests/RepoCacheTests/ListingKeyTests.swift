import HubClient
import Testing

@testable import RepoCache

@Suite struct ListingKeyTests {
    @Test func pathsThatLookAlikeAreTwo() {
        let keys = ["d\u{e9}", "de\u{301}"].map { path in
            ListingKey(commit: CacheFixture.commit, path: path, treeOID: nil)
        }
        #expect(Set(keys).count == 2)
        #expect(Set(keys.map { Array($0.text.utf8) }).count == 2)
    }

    @Test func aDirectoryWithATreeIsFoundByItAlone() {
        let tree = TreeOID(hex: String(repeating: "1", count: 40))!
        let keys = ["a", "b"].map { path in
            ListingKey(commit: CacheFixture.commit, path: path, treeOID: tree)
        }
        #expect(keys[0] == keys[1] && keys[0].text == "tree \(tree.hex)")
    }
}
