import Settings
import Testing

@Suite struct SettingsStackTests {
    private let options = [
        OptionShape(name: "offline", spellings: ["offline"], kind: .flag),
        OptionShape(
            name: "read-timeout", spellings: ["read-timeout"], kind: .value(repeats: false)),
        OptionShape(name: "include", spellings: ["include"], kind: .value(repeats: true)),
        OptionShape(name: "cache-dir", spellings: ["cache-dir"], kind: .value(repeats: false)),
        OptionShape(name: "endpoint", spellings: ["endpoint"], kind: .value(repeats: false)),
    ]

    /// What holds, as `option=value (origin)`, in the order of the ranks.
    private func settings(
        _ variables: [String: String], _ user: String = "", _ system: String = "",
        repo: String? = nil, others: Set<String> = []
    ) throws -> [String] {
        let files = [
            try ConfigFile(Array(user.utf8), path: "U"),
            try ConfigFile(Array(system.utf8), path: "S"),
        ]
        let ranks = try SettingsStack(variables: variables, files: files).ranks(
            of: options, isRepo: { $0 == repo }, others: { name, _ in others.contains(name) })
        return ranks.flatMap(\.self).map { setting in
            let value =
                switch setting.meaning {
                case .flag(let isSet): "\(isSet)"
                case .values(let values): values.joined(separator: "|")
                case .elsewhere: "elsewhere"
                }
            return "\(setting.option.name)=\(value) (\(setting.origin))"
        }
    }

    @Test func everyPlaceInItsRank() throws {
        let variables = ["HUBFS_READ_TIMEOUT": "1"]
        let user = "read-timeout = 3\n[repo.r]\nread-timeout = 2"
        let system = "read-timeout = 5\n[repo.r]\nread-timeout = 4"
        #expect(
            try settings(variables, user, system, repo: "r")
                == ["read-timeout=1 (HUBFS_READ_TIMEOUT)"])
        #expect(try settings([:], user, system, repo: "r") == ["read-timeout=2 (U:3)"])
        #expect(try settings([:], user, system, repo: "s") == ["read-timeout=3 (U:1)"])
        #expect(try settings([:], user, system) == ["read-timeout=3 (U:1)"])
        #expect(try settings([:], "", system, repo: "r") == ["read-timeout=4 (S:3)"])
        #expect(try settings([:], "", system) == ["read-timeout=5 (S:1)"])
        #expect(try settings([:]) == [])
    }

    @Test func anEmptyVariableSaysNothingAndAnEmptyTextTakesBack() throws {
        let user = "read-timeout = 3"
        #expect(try settings(["HUBFS_READ_TIMEOUT": ""], user) == ["read-timeout=3 (U:1)"])
        #expect(
            try settings([:], "read-timeout = \"\"", "read-timeout = 5") == ["read-timeout= (U:1)"])
    }

    @Test func flagsAreSaidInBothSenses() throws {
        for (text, meaning) in [
            ("1", "true"), ("yes", "true"), ("On", "true"), ("TRUE", "true"), ("0", "false"),
            ("no", "false"), ("off", "false"), ("False", "false"),
        ] {
            #expect(
                try settings(["HUBFS_OFFLINE": text], "offline = true")
                    == ["offline=\(meaning) (HUBFS_OFFLINE)"])
        }
        #expect(try settings([:], "offline = false", "offline = true") == ["offline=false (U:1)"])
    }

    @Test func severalValues() throws {
        #expect(
            try settings(["HUBFS_INCLUDE": "a b\nc\n"]) == ["include=a b|c (HUBFS_INCLUDE)"])
        #expect(try settings([:], "include = [\"a\", 'b', 3]") == ["include=a|b|3 (U:1)"])
        #expect(try settings([:], "include = 'a'", "include = 'b'") == ["include=a (U:1)"])
        #expect(
            try settings(["HUBFS_READ_TIMEOUT": "1\n2"])
                == ["read-timeout=1\n2 (HUBFS_READ_TIMEOUT)"])
    }

    @Test func theOlderVariablesGoBeforeFiles() throws {
        let user = "cache-dir = '/u'\nendpoint = 'http://u'\noffline = true"
        #expect(
            try settings(
                ["HUBFS_CACHE": "/c", "HF_ENDPOINT": "http://e", "TRANSFORMERS_OFFLINE": "0"], user)
                == [
                    "offline=elsewhere (TRANSFORMERS_OFFLINE)", "cache-dir=elsewhere (HUBFS_CACHE)",
                    "endpoint=elsewhere (HF_ENDPOINT)",
                ])
        #expect(
            try settings(["HUBFS_CACHE": "/c", "HUBFS_CACHE_DIR": "/d"], user).first
                == "cache-dir=/d (HUBFS_CACHE_DIR)")
    }

    @Test func theHomeInAFile() throws {
        let home = ["HOME": "/home/u"]
        #expect(try settings(home, "cache-dir = '~/c'") == ["cache-dir=/home/u/c (U:1)"])
        #expect(try settings(home, "cache-dir = '~x/c'") == ["cache-dir=~x/c (U:1)"])
        #expect(
            try settings(home.merging(["HUBFS_CACHE_DIR": "~/c"]) { $1 })
                == ["cache-dir=~/c (HUBFS_CACHE_DIR)"])
    }

    @Test(arguments: [
        ([:], "read-timeout = true", "U:1: 'read-timeout' takes a value, and not true or false"),
        ([:], "\nread-timeout = [1]", "U:2: 'read-timeout' takes one value, and not a list"),
        ([:], "offline = 'yes'", "U:1: 'offline' is true or false"),
        (["HUBFS_OFFLINE": "maybe"], "", "HUBFS_OFFLINE: 'maybe' is neither true nor false"),
    ])
    func whatDoesNotFit(variables: [String: String], user: String, sentence: String) {
        #expect(throws: SettingsComplaint.self) { try settings(variables, user) }
        do {
            _ = try settings(variables, user)
        } catch {
            #expect("\(error)" == sentence)
        }
    }

    /// `commit` is a value of `mount` and a flag of `recover`.
    @Test func whatIsMeantForAnotherCommandIsLeftToIt() throws {
        let others: Set = ["offline", "read-timeout"]
        #expect(try settings([:], "offline = 'x'\nread-timeout = true", others: others) == [])
        #expect(
            try settings(
                ["HUBFS_OFFLINE": "x", "HUBFS_READ_TIMEOUT": "yes"], others: others) == [])
    }

    @Test func namesOfVariables() {
        #expect(OptionShape.variable(of: "read-timeout") == "HUBFS_READ_TIMEOUT")
        #expect(OptionShape.variable(of: "o") == "HUBFS_O")
    }
}
