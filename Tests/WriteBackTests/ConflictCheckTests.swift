import HubClient
import Testing

@testable import WriteBack

/// Which edits of two sides go together.
@Suite struct ConflictCheckTests {
    private static func content(_ digit: Character) -> ContentID {
        .git(BlobOID(hex: String(repeating: digit, count: 40))!)
    }

    private static func theirs(
        _ files: [String: ContentID?], removed: [String] = []
    ) -> TreeDifference {
        var difference = TreeDifference()
        for (path, content) in files {
            difference.add(TreeDifference.File(path: path, content: content))
        }
        for path in removed { difference.addRemovedDirectory(path) }
        return difference
    }

    @Test func otherPathsAreNoConflict() {
        let check = ConflictCheck(
            ["a": .put(Self.content("1")), "b": .delete, "folder": .deleteDirectory],
            against: Self.theirs(["c": Self.content("2"), "folder2/x": Self.content("3")]))
        #expect(check.conflicts.isEmpty && check.redundant.isEmpty)
    }

    @Test func theSamePathIsOneUnlessBothDidTheSame() {
        let check = ConflictCheck(
            [
                "same": .put(Self.content("1")), "other": .put(Self.content("1")),
                "unknown": .put(nil), "gone": .delete, "kept": .delete,
                "lost": .put(Self.content("1")),
            ],
            against: Self.theirs([
                "same": Self.content("1"), "other": Self.content("2"),
                "unknown": Self.content("1"), "gone": nil, "kept": Self.content("3"),
                "lost": nil,
            ]))
        #expect(check.conflicts == ["kept", "lost", "other", "unknown"])
        #expect(check.redundant == ["gone", "same"])
        #expect(check.clashes.isEmpty)
    }

    @Test func aFileAgainstAFolderIsAClash() {
        let check = ConflictCheck(
            ["a": .put(Self.content("1")), "b/x": .put(Self.content("1"))],
            against: Self.theirs(["a/y": Self.content("2"), "b": Self.content("2")]))
        #expect(check.conflicts == ["a", "b"])
        #expect(check.clashes == ["a", "b"])
    }

    @Test func aForeignFileInAFolderThatWeDeleteIsAConflictAndAForeignDeletionIsNot() {
        let folder: [ExactPath: ConflictCheck.Edit] = ["folder": .deleteDirectory]
        let added = ConflictCheck(
            folder, against: Self.theirs(["folder/deep/new": Self.content("1")]))
        #expect(added.conflicts == ["folder"])
        let deleted = ConflictCheck(folder, against: Self.theirs(["folder/old": nil]))
        #expect(deleted.conflicts.isEmpty)
        let all = ConflictCheck(
            folder, against: Self.theirs(["folder/old": nil], removed: ["folder"]))
        #expect(all.conflicts.isEmpty && all.redundant == ["folder"])
    }
}
