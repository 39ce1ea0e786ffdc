import Testing
import WriteBack

/// What the lines mean, by the examples of gitignore(5).
@Suite struct IgnoreRulesTests {
    @Test(arguments: [
        (".git/config", true), ("a/.git/x", true), ("notes.swp", true), ("deep/in/x.swp", true),
        ("__pycache__/a.pyc", true), (".cache/huggingface/x", true), (".cache/other", false),
        ("git/config", false), ("swp", false), ("a.swp.txt", false), (".nfs0001", true),
    ])
    func theDefaults(path: String, isIgnored: Bool) {
        #expect(IgnoreRules().matches(path, isDirectory: false) == isIgnored)
    }

    @Test func aPatternWithoutASlashFitsAnywhereAndOneWithASlashAtItsPlace() {
        let rules = IgnoreRules(lines: ["*.log", "/top.txt", "doc/frotz", "**/foo/bar", "abc/**"])
        #expect(rules.matches("a/b/x.log", isDirectory: false))
        #expect(rules.matches("top.txt", isDirectory: false))
        #expect(!rules.matches("a/top.txt", isDirectory: false))
        #expect(rules.matches("doc/frotz", isDirectory: false))
        #expect(!rules.matches("a/doc/frotz", isDirectory: false))
        #expect(rules.matches("x/y/foo/bar", isDirectory: false))
        #expect(rules.matches("abc/deep/file", isDirectory: false))
        #expect(!rules.matches("abc", isDirectory: true))
    }

    @Test func aPatternThatEndsInASlashFitsDirectoriesAndAllInThem() {
        let rules = IgnoreRules(lines: ["build/"])
        #expect(rules.matches("build", isDirectory: true))
        #expect(!rules.matches("build", isDirectory: false))
        #expect(rules.matches("a/build/out.o", isDirectory: false))
    }

    @Test func theLastPatternWinsAndANegatedOneTakesBack() {
        let rules = IgnoreRules(lines: [
            "*.txt", "!keep.txt", "# a comment", "", "\\#odd", "x[0-9a]",
        ])
        #expect(rules.matches("a.txt", isDirectory: false))
        #expect(!rules.matches("keep.txt", isDirectory: false))
        #expect(!rules.matches("# a comment", isDirectory: false))
        #expect(rules.matches("#odd", isDirectory: false))
        #expect(rules.matches("x7", isDirectory: false))
        #expect(!rules.matches("xb", isDirectory: false))
    }

    @Test func nothingInAnIgnoredDirectoryIsTakenBack() {
        let rules = IgnoreRules(lines: ["folder/", "!folder/keep.txt"])
        #expect(rules.matches("folder/keep.txt", isDirectory: false))
    }
}
