import Testing

@testable import HubClient

struct BucketStateTests {
    private func file(_ path: String, _ digit: Int = 1, size: UInt64 = 10) -> BucketEntry {
        BucketEntry(
            path: path, content: XetOID(hex: String(repeating: String(digit), count: 64))!,
            size: size, dateNanoseconds: Int64(digit))
    }

    private func paths(_ state: BucketState, _ folder: String, recursive: Bool = false) -> [String]?
    {
        state.entries(of: folder, recursive: recursive)?.map(\.path).sorted()
    }

    private func tree(_ state: BucketState, _ path: String) -> TreeOID? {
        let all = state.entries(of: "", recursive: true) ?? []
        guard case .directory(let tree)? = all.first(where: { $0.path == path })?.kind else {
            return nil
        }
        return tree
    }

    @Test func pathsAreFolders() {
        let state = BucketState(
            [file("a/b/c.txt"), file("top"), file("a/d"), file("a-b/e")], part: "")
        #expect(paths(state, "") == ["a", "a-b", "top"])
        #expect(paths(state, "a") == ["a/b", "a/d"])
        #expect(paths(state, "a/b") == ["a/b/c.txt"])
        #expect(paths(state, "a/x") == nil)
        #expect(paths(state, "top") == nil)
        #expect(
            paths(state, "", recursive: true)
                == ["a", "a-b", "a-b/e", "a/b", "a/b/c.txt", "a/d", "top"])
        #expect(state.byteCount(below: "a") == 20)
        #expect(state.dateNanoseconds == 1)
    }

    @Test func equalStatesHaveEqualNames() {
        let files = [file("a/b"), file("c", 2), file("d/e/f", 3)]
        let state = BucketState(files, part: "")
        #expect(BucketState(files.reversed(), part: "").commit == state.commit)
        for other in [
            [file("a/b"), file("c", 2)], [file("a/b"), file("c", 3), file("d/e/f", 3)],
            [file("a/b"), file("c", 2, size: 11), file("d/e/f", 3)],
            [file("a/b"), file("c2", 2), file("d/e/f", 3)],
        ] {
            #expect(BucketState(other, part: "").commit != state.commit)
        }
        #expect(BucketState(files, part: "a").commit != state.commit)
    }

    @Test func datesArePartOfAState() {
        func dated(_ path: String, _ date: Int64?) -> BucketEntry {
            BucketEntry(path: path, content: file("").content, size: 1, dateNanoseconds: date)
        }
        let state = BucketState([dated("a", 1), dated("b/c", 5), dated("d", nil)], part: "")
        let dates = state.entries(of: "", recursive: true)!.map {
            "\($0.path) \($0.modifiedNanoseconds ?? -1)"
        }
        #expect(dates.sorted() == ["a 1", "b -1", "b/c 5", "d -1"])
        #expect(state.dateNanoseconds == 5)
        let touched = state.changed(puts: [dated("a", 2)], deletions: [])
        #expect(touched.commit != state.commit && tree(touched, "b") == tree(state, "b"))
        #expect(touched.changed(puts: [dated("a", 1)], deletions: []).commit == state.commit)
        #expect(touched.changed(puts: [], deletions: ["b/c"]).dateNanoseconds == 2)
        // A date is no beginning of a name.
        #expect(
            BucketState([dated("1 a", nil)], part: "").commit
                != BucketState([dated("a", 1)], part: "").commit)
    }

    @Test func whatDidNotChangeKeepsItsName() {
        let before = BucketState([file("a/b/c"), file("d/e")], part: "")
        let after = before.changed(puts: [file("d/f", 2)], deletions: [])
        #expect(tree(after, "a") == tree(before, "a"))
        #expect(tree(after, "d") != tree(before, "d"))
        #expect(after.commit != before.commit)
        #expect(
            after.commit
                == BucketState([file("a/b/c"), file("d/e"), file("d/f", 2)], part: "").commit)
        #expect(after.changed(puts: [], deletions: ["d/f"]).commit == before.commit)
        #expect(paths(before.changed(puts: [], deletions: ["a/b/c"]), "") == ["d"])
    }

    @Test func aPartIsBoundedByWholeNames() {
        let files = [
            file("dir/x"), file("dir.json"), file("dirx/y"), file("dir/sub/z"), file("one"),
        ]
        let state = BucketState(files, part: "dir")
        #expect(paths(state, "", recursive: true) == ["dir", "dir/sub", "dir/sub/z", "dir/x"])
        // Nothing is there yet, and something may be written there.
        #expect(paths(BucketState(files, part: "new"), "new") == [])
        // A file is no folder.
        #expect(paths(BucketState(files, part: "one"), "one") == nil)
    }

    @Test func whatNoFileSystemHasIsLeftOut() {
        let state = BucketState(
            [
                file("a"), file("a/b"), file("x//y"), file("../z"), file("./w"), file("/v"),
                file("u/"),
            ],
            part: "")
        #expect(paths(state, "", recursive: true) == ["a", "a/b"])
        #expect(BucketState([], part: "").entries(of: "", recursive: true) == [])
    }

    @Test func namesAreBytes() {
        // Once composed, once with a combining mark: equal to Unicode, different keys.
        let state = BucketState([file("\u{e9}/a"), file("e\u{301}/b", 2)], part: "")
        #expect(state.entries(of: "", recursive: false)?.count == 2)
        #expect(paths(state, "\u{e9}") == ["\u{e9}/a"])
    }

    @Test func partsAndRevisions() {
        #expect(BucketPart(.main)?.path == "")
        #expect(BucketPart(path: "a/b").revision.name == "main/a/b")
        #expect(BucketPart(Revision("main/a/b"))?.path == "a/b")
        #expect(BucketPart(Revision(String(repeating: "a", count: 40))) == nil)
    }
}
