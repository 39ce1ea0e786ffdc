import Settings
import Testing

/// Options of all kinds.
let sampleOptions = [
    OptionShape(name: "writable", spellings: ["writable", "w"], kind: .flag),
    OptionShape(name: "foreground", spellings: ["foreground", "f"], kind: .flag),
    OptionShape(name: "offline", spellings: ["offline"], kind: .flag),
    OptionShape(name: "no-replay", spellings: ["no-replay"], kind: .flag),
    OptionShape(name: "message", spellings: ["message", "m"], kind: .value(repeats: false)),
    OptionShape(
        name: "read-timeout", spellings: ["read-timeout"], kind: .value(repeats: false)),
    OptionShape(name: "include", spellings: ["include"], kind: .value(repeats: true)),
    OptionShape(name: "o", spellings: ["o"], kind: .value(repeats: true)),
]

@Suite struct CommandWordsTests {
    private func read(_ line: String) -> CommandWords {
        CommandWords(line.split(separator: " ").map { String($0) }, options: sampleOptions)
    }

    @Test(arguments: [
        // As it stands there.
        ("SRC DIR", "SRC DIR", []),
        (
            "-w SRC --read-timeout 5 DIR", "-w SRC --read-timeout 5 DIR",
            ["writable", "read-timeout"]
        ),
        ("--read-timeout=5", "--read-timeout=5", ["read-timeout"]),
        ("-fw", "-fw", ["foreground", "writable"]),
        ("-fm text", "-fm text", ["foreground", "message"]),
        ("-o=a,b", "-o=a,b", ["o"]),
        ("--bogus --offlin -x", "--bogus --offlin -x", []),
        ("--include a --include b", "--include a --include b", ["include"]),
        ("--message --offline", "--message --offline", ["message", "offline"]),
        ("--offline=maybe", "--offline=maybe", ["offline"]),
        // Flags with a value.
        ("--offline=true", "--offline", ["offline"]),
        ("--offline=false", "", ["offline"]),
        ("--no-offline", "", ["offline"]),
        ("--no-replay", "--no-replay", ["no-replay"]),
        ("--no-no-replay", "", ["no-replay"]),
        ("--no-replay=false", "", ["no-replay"]),
        ("--no-message", "--no-message", []),
        // The last one holds.
        ("--offline --offline=false", "", ["offline"]),
        ("--offline=false --offline", "--offline", ["offline"]),
        ("-w SRC --no-writable", "SRC", ["writable"]),
        ("-fw --writable=false", "-f", ["foreground", "writable"]),
        ("-fm text --message=", "-f", ["foreground", "message"]),
        ("--read-timeout 5 --read-timeout=", "", ["read-timeout"]),
        ("--read-timeout= --read-timeout 5", "--read-timeout 5", ["read-timeout"]),
        ("--include a --include=", "", ["include"]),
        // What is run has options of its own.
        ("-w -- CMD --offline=false -f", "-w -- CMD --offline=false -f", ["writable"]),
    ])
    func whatIsSaid(line: String, left: String, said: [String]) {
        let words = read(line)
        #expect(words.words.joined(separator: " ") == left)
        #expect(words.said == Set(said))
    }

    @Test func argumentsAreWhatIsNoOption() {
        #expect(
            read("a -m text b --read-timeout 5 c --offline d -- e").arguments == [
                "a", "b", "c", "d",
            ])
        #expect(read("- x").arguments == ["-", "x"])
    }

    @Test func flagsThatAreTakenBack() {
        #expect(read("--no-offline").deniedFlags == ["offline"])
        #expect(read("--no-offline --offline").deniedFlags.isEmpty)
        #expect(read("--read-timeout=").deniedFlags.isEmpty)
    }

    @Test func settingsComeFirst() {
        let settings = [
            Setting(option: sampleOptions[5], values: ["-5"]),
            Setting(option: sampleOptions[7], values: ["a", "b"]),
            Setting(option: sampleOptions[6], values: []),
        ]
        #expect(
            read("SRC -w").filled(with: settings)
                == ["--read-timeout=-5", "-o", "a", "-o", "b", "SRC", "-w"])
    }
}

extension Setting {
    fileprivate init(option: OptionShape, values: [String]) {
        self.init(option: option, meaning: .values(values), origin: .variable("X"))
    }
}
