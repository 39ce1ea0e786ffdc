import Settings
import Testing

@Suite struct ConfigFileTests {
    private func read(_ text: String) throws -> ConfigFile {
        try ConfigFile(Array(text.utf8), path: "F")
    }

    /// What is said of a text that is no configuration file.
    private func complaint(of text: String) -> String? {
        do {
            _ = try read(text)
            return nil
        } catch let complaint as SettingsComplaint {
            return complaint.description
        } catch {
            return "\(error)"
        }
    }

    @Test func theKindsOfValues() throws {
        let file = try read(
            """
            # of all repos
            cache-size = "50G"   # behind a value
            read-timeout=2.5
            uid = 1000
            "umask" = '022'
            offline = true
            no-replay = false\r
            include = [
                "*.json",  # one
                'a\\b', 3,
            ]
            exclude = []
            message = "tab\\t \\"quoted\\" \\u00e9 \\\\"
            """)
        let values = file.statements.map(\.value)
        #expect(
            values == [
                .text("50G"), .text("2.5"), .text("1000"), .text("022"), .bool(true), .bool(false),
                .list(["*.json", #"a\b"#, "3"]), .list([]), .text("tab\t \"quoted\" é \\"),
            ])
        #expect(file.statements.map(\.line) == [2, 3, 4, 5, 6, 7, 8, 12, 13])
        #expect(file.sections.isEmpty)
    }

    @Test func theSectionsOfRepos() throws {
        let file = try read(
            """
            offline = true

            [repo."hf://org/model"]
            offline = false
            [ repo . 'hf://datasets/org/ds' ] # theirs
            [repo.gpt2]
            uid = 1
            """)
        #expect(
            file.sections.map(\.repo) == ["hf://org/model", "hf://datasets/org/ds", "gpt2"])
        #expect(file.sections.map(\.line) == [3, 5, 6])
        #expect(file.sections[0].statements.map(\.value) == [.bool(false)])
        #expect(file.allStatements.map(\.key) == ["offline", "offline", "uid"])
    }

    @Test func nothingIsAFileToo() throws {
        for text in ["", "\n", "  # a comment", "\r\n\r\n"] {
            #expect(try read(text).allStatements.isEmpty)
        }
    }

    @Test(arguments: [
        ("cache-size = 50G", "F:1: write the value of 'cache-size' in quotes: \"50G\""),
        ("\n\numask = 022", "F:3: write the value of 'umask' in quotes: \"022\""),
        ("a = 1_000", "F:1: write the value of 'a' in quotes: \"1_000\""),
        ("a = 1e3", "F:1: write the value of 'a' in quotes: \"1e3\""),
        ("a = 2026-01-02", "F:1: write the value of 'a' in quotes: \"2026-01-02\""),
        ("a = 1.", "F:1: write the value of 'a' in quotes: \"1.\""),
        ("a", "F:1: 'a' has no value: write a = …"),
        ("a =", "F:1: 'a' has no value: write a = …"),
        ("a = # none", "F:1: 'a' has no value: write a = …"),
        ("a.b = 1", "F:1: 'a' has no value: write a = …"),
        ("= 1", "F:1: here is no name of an option"),
        ("a = 1 2", "F:1: something stands behind the end of a value"),
        ("a = \"x\" \"y\"", "F:1: something stands behind the end of a value"),
        ("a = 1\na = 2", "F:2: 'a' is said before, in line 1"),
        ("a = \"x", "F:1: a string has no end"),
        ("a = \"x\ny\"", "F:1: a string has no end"),
        ("a = \"\"\"x\"\"\"", "F:1: a string of several lines is not used here"),
        ("a = '''x'''", "F:1: a string of several lines is not used here"),
        ("a = \"\\x\"", #"F:1: a string has a \ that nothing stands for: write \\, or use '…'"#),
        ("a = \"\\u0000\"", #"F:1: a string has a \u that is no character"#),
        ("a = \"\\ud800\"", #"F:1: a string has a \u that is no character"#),
        ("a = \"\\u00\"", #"F:1: a string has a \u that is no character"#),
        ("a = \"\u{1}\"", "F:1: a string has a control character in it"),
        ("# \u{1}", "F:1: a comment has a control character in it"),
        ("a = {}", "F:1: 'a' takes no table"),
        ("a = [1 2]", "F:1: the list of 'a' has no comma or ] here"),
        ("a = [1,\n2", "F:2: the list of 'a' has no end"),
        ("a = [true]", "F:1: the list of 'a' is one of strings and numbers"),
        ("a = [[1]]", "F:1: the list of 'a' is one of strings and numbers"),
        ("a = [,]", "F:1: 'a' has no value: write a = …"),
        ("[mount]", "F:1: the tables of this file are those of repos: [repo.\"hf://org/model\"]"),
        ("[repo]", "F:1: the tables of this file are those of repos: [repo.\"hf://org/model\"]"),
        (
            "[[repo.x]]",
            "F:1: the tables of this file are those of repos: [repo.\"hf://org/model\"]"
        ),
        (
            "[repo.x.y]",
            "F:1: the tables of this file are those of repos: [repo.\"hf://org/model\"]"
        ),
        ("[repo.x]\n[repo.\"x\"]", "F:2: the table of 'x' begins before, in line 1"),
        ("[repo.x] a = 1", "F:1: something stands behind the end of a value"),
        ("a = 1\r", "F:1: something stands behind the end of a value"),
    ])
    func whatIsRefused(text: String, sentence: String) {
        #expect(complaint(of: text) == sentence)
    }

    @Test func bytesThatAreNoText() {
        #expect(throws: SettingsComplaint.self) {
            try ConfigFile([0x61, 0x3d, 0xff], path: "F")
        }
    }

    /// Whatever a file is cut to, it is read or refused, and nothing else.
    @Test func everyBeginningOfAFile() throws {
        let text = "a = [\"x\", 'y', 1.5] # é\n[repo.\"hf://o/m\"]\r\nb = \"\\u00e9\\n\"\nc=true"
        for count in 0...text.utf8.count {
            _ = try? ConfigFile(Array(text.utf8.prefix(count)), path: "F")
        }
        #expect(try read(text).allStatements.count == 3)
    }
}
