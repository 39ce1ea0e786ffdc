import Testing

@testable import LocalHub

@Suite struct RulesTests {
    @Test(arguments: [
        ("*.bin", "a.bin", true), ("*.bin", "a.bin.txt", false), ("*.tar.*", "x.tar.gz", true),
        ("saved_model/**/*", "saved_model/a/b.pb", true),
        ("saved_model/**/*", "saved_model/b.pb", true),
        ("saved_model/**/*", "other/saved_model/b.pb", false),
        ("*tfevents*", "events.out.tfevents.1", true), ("a?c", "abc", true), ("a?c", "a/c", false),
        ("[a-c]x", "bx", true), ("[!a-c]x", "bx", false), ("a\\*", "a*", true),
        ("a\\*", "ab", false), ("**/b", "a/b", true), ("**/b", "b", true), ("a/*", "a/b/c", false),
    ])
    func globs(pattern: String, text: String, expected: Bool) {
        #expect(Glob(pattern).matches(text) == expected)
    }

    @Test func faultPathsCrossSlashes() {
        #expect(
            Glob("/api/*/commit/*", crossesSlashes: true).matches("/api/models/o/r/commit/main"))
    }

    @Test func attributesDecideByTheLastRule() {
        let attributes = GitAttributes(
            """
            *.bin filter=lfs diff=lfs merge=lfs -text
            # *.txt filter=lfs
            small/*.bin -filter
            /top.dat filter=lfs
            """)
        #expect(attributes.isLFS("a/b.bin"))
        #expect(!attributes.isLFS("small/b.bin"))
        #expect(!attributes.isLFS("a.txt"))
        #expect(attributes.isLFS("top.dat"))
        #expect(!attributes.isLFS("deep/top.dat"))
    }

    @Test func aRuleOfOnePathAndAPatternDecideInTheirOrder() {
        let attributes = GitAttributes(
            """
            a/one.bin filter=lfs
            two.bin filter=lfs
            *.bin -filter
            a/three.bin filter=lfs
            four.bin filter=lfs
            a/four.bin -filter
            """)
        #expect(!attributes.isLFS("a/one.bin"))
        #expect(!attributes.isLFS("x/two.bin"))
        #expect(attributes.isLFS("a/three.bin"))
        #expect(attributes.isLFS("x/four.bin"))
        #expect(!attributes.isLFS("a/four.bin"))
    }

    @Test(arguments: ["plain", "with space.x", "a/b*c[1].q", "dir/star*"])
    func theServersOwnLineCoversItsPathAlone(path: String) {
        let attributes = GitAttributes(GitAttributes.line(for: path))
        #expect(attributes.isLFS(path))
        #expect(!attributes.isLFS("other/" + path))
        #expect(!attributes.isLFS(path + "x"))
    }

    @Test func ignoreRules() {
        let ignore = GitIgnore("*.log\n!keep.log\nbuild/\n/only-root\ndocs/*.tmp\n")
        #expect(ignore.ignores("a/x.log"))
        #expect(!ignore.ignores("a/keep.log"))
        #expect(ignore.ignores("build/keep.txt"))
        #expect(ignore.ignores("a/build/x"))
        #expect(!ignore.ignores("build"))
        #expect(ignore.ignores("only-root"))
        #expect(!ignore.ignores("a/only-root"))
        #expect(ignore.ignores("docs/a.tmp"))
        #expect(!ignore.ignores("a/docs/a.tmp"))
    }

    @Test func uploadModes() {
        let attributes = GitAttributes(GitAttributes.initial)
        func mode(_ path: String, _ size: Int, _ sample: [UInt8]) -> UploadMode {
            UploadMode.of(path: path, size: size, sample: sample, attributes: attributes)
        }
        #expect(mode("a.txt", 5, Array("hello".utf8)) == .regular)
        #expect(mode("a.bin", 5, Array("hello".utf8)) == .lfs)
        #expect(mode("a.bin", 0, []) == .regular)
        #expect(mode("a.txt", 10 << 20, Array("x".utf8)) == .regular)
        #expect(mode("a.txt", 10 << 20 + 1, Array("x".utf8)) == .lfs)
        #expect(mode("a", 3, [1, 0, 2]) == .lfs)
        #expect(mode("a", 3, [0xff, 0xfe, 0x41, 0x42, 0x43]) == .lfs)
        // A sample may end within a character.
        #expect(mode("a", 600, Array("ab\u{20ac}".utf8.dropLast())) == .regular)
    }

    @Test(arguments: [
        "", "/a", "a/", "a//b", "../a", "a/./b", "a\\b", ".git/config", "a/.GIT/x", "a\u{1}b",
    ])
    func refusedPaths(path: String) {
        #expect(FilePath.refusal(path) != nil)
    }

    @Test(arguments: ["a", "a b/#?.txt", ".gitattributes", "\u{e9}/\u{1f600}", ".github/x"])
    func acceptedPaths(path: String) {
        #expect(FilePath.refusal(path) == nil)
    }

    @Test(arguments: ["a", "a-b_c.d", "A1"])
    func acceptedNames(part: String) {
        #expect(RepoName.isValidPart(part))
    }

    @Test(arguments: ["", ".a", "a.", "-a", "a-", "a--b", "a..b", "a.git", "a/b", "a b", "\u{e9}"])
    func refusedNames(part: String) {
        #expect(!RepoName.isValidPart(part))
    }

    @Test func percentEncodingRoundTrips() {
        let text = "dir/a b#c?\u{e9}%.txt"
        #expect(URLText.decode(URLText.encode(text)) == text)
        #expect(URLText.encode(text, keepingSlashes: true).hasPrefix("dir/a%20b%23"))
        #expect(URLText.decode("%zz") == nil)
        #expect(URLText.decode("%ff") == nil)
        #expect(URLText.pairs("paths=a+b&paths=c%2Fd&x").map(\.value) == ["a b", "c/d", ""])
    }
}
