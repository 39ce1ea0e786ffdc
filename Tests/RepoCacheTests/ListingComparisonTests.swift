import HubClient
import Testing

@testable import RepoCache

@Suite struct ListingComparisonTests {
    private func listing(_ entries: [String: Int]) -> DirectoryListing {
        DirectoryListing(
            entries.map { name, content in
                let digits = String(repeating: "0", count: 39) + String(content % 10)
                let kind: TreeEntry.Kind =
                    content < 10
                    ? .file(.git(BlobOID(hex: digits)!), size: 4)
                    : content < 20
                        ? .directory(TreeOID(hex: digits)!)
                        : .file(
                            .lfs(LFSOID(hex: digits + String(repeating: "0", count: 24))!), size: 4)
                return TreeEntry(path: name, kind: kind)
            })!
    }

    /// The differences by name.
    private func compare(
        _ old: [String: Int], _ new: [String: Int]
    ) -> (removed: Set<String>, added: Set<String>, changed: Set<String>) {
        let (before, after) = (listing(old), listing(new))
        var found: (removed: Set<String>, added: Set<String>, changed: Set<String>) = ([], [], [])
        let comparison = ListingComparison(from: before, to: after)
        for difference in comparison.differences {
            switch difference {
            case .removed(let index): found.removed.insert(before.name(at: index))
            case .added(let index): found.added.insert(after.name(at: index))
            case .changed(let oldIndex, let newIndex):
                #expect(before.name(at: oldIndex) == after.name(at: newIndex))
                found.changed.insert(before.name(at: oldIndex))
            }
        }
        for index in 0..<before.count {
            let name = before.name(at: index)
            #expect(comparison.newPlace(of: index) == after.index(of: name))
        }
        return found
    }

    @Test func everyPairOfSmallDirectories() {
        // Each of three names is absent, one of two files in git, a directory, or a file in LFS.
        let contents = [nil, 1, 2, 11, 21]
        let names = ["a", "ab", "b"]
        let all = contents.flatMap { first in
            contents.flatMap { second in
                contents.map { third in
                    Dictionary(
                        uniqueKeysWithValues: zip(names, [first, second, third]).compactMap {
                            name, content in content.map { (name, $0) }
                        })
                }
            }
        }
        for old in all {
            for new in all {
                let found = compare(old, new)
                #expect(found.removed == Set(old.keys).subtracting(new.keys))
                #expect(found.added == Set(new.keys).subtracting(old.keys))
                let both = Set(old.keys).intersection(new.keys)
                #expect(found.changed == both.filter { old[$0] != new[$0] })
            }
        }
    }

    @Test func aFileOfAnotherSizeHasChanged() {
        let content = ContentID.git(BlobOID(hex: String(repeating: "1", count: 40))!)
        let listings = [4, 5].map { size in
            DirectoryListing([TreeEntry(path: "d/a", kind: .file(content, size: UInt64(size)))])!
        }
        let comparison = ListingComparison(from: listings[0], to: listings[1])
        #expect(comparison.differences == [.changed(old: 0, new: 0)])
    }
}
