/// Reads a `ConfigFile` line by line; `ConfigReader+Values.swift` reads what is behind the `=`.
struct ConfigReader {
    let bytes: [UInt8]
    var position = 0
    /// The line that `position` is in.
    var line = 1
    private let path: String

    init(_ bytes: [UInt8], path: String) {
        self.bytes = bytes
        self.path = path
    }

    mutating func read(into file: inout ConfigFile) throws(SettingsComplaint) {
        if !bytes.isEmpty, String(validating: bytes, as: UTF8.self) == nil {
            throw complaint("the file is not UTF-8")
        }
        while let byte = skipBlanks() {
            switch byte {
            case UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "#"): try endLine()
            case UInt8(ascii: "["): try file.add(try header())
            default: try file.add(try statement())
            }
        }
    }

    // MARK: - Statements

    /// `[repo."hf://org/model"]`
    private mutating func header() throws(SettingsComplaint) -> ConfigFile.Section {
        let refusal = "the tables of this file are those of repos: [repo.\"hf://org/model\"]"
        let start = line
        position += 1
        skipBlanks()
        guard peek() != UInt8(ascii: "["), try key() == "repo", skipBlanks() == UInt8(ascii: ".")
        else { throw complaint(refusal) }
        position += 1
        skipBlanks()
        let repo = try key()
        guard skipBlanks() == UInt8(ascii: "]") else { throw complaint(refusal) }
        position += 1
        try endLine()
        return ConfigFile.Section(repo: repo, line: start)
    }

    /// `key = value`
    private mutating func statement() throws(SettingsComplaint) -> ConfigFile.Statement {
        let start = line
        let key = try key()
        guard skipBlanks() == UInt8(ascii: "=") else {
            throw complaint("'\(key)' has no value: write \(key) = …")
        }
        position += 1
        skipBlanks()
        let value = try value(of: key)
        try endLine()
        return ConfigFile.Statement(key: key, value: value, line: start)
    }

    /// A name, bare or in quotes.
    private mutating func key() throws(SettingsComplaint) -> String {
        switch peek() {
        case UInt8(ascii: "\""): return try basicString()
        case UInt8(ascii: "'"): return try literalString()
        default:
            let name = take { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
            if name.isEmpty { throw complaint("here is no name of an option") }
            return name
        }
    }

    // MARK: - Bytes

    func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

    /// - Returns: the next byte that is neither a blank nor a tab; nil at the end of the file.
    @discardableResult
    mutating func skipBlanks() -> UInt8? {
        while let byte = peek(), byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") {
            position += 1
        }
        return peek()
    }

    mutating func take(while isWanted: (UInt8) -> Bool) -> String {
        let start = position
        while let byte = peek(), isWanted(byte) { position += 1 }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    /// Takes a comment, if there is one, and the end of the line.
    ///
    /// - Throws: `SettingsComplaint` when something else is there.
    mutating func endLine() throws(SettingsComplaint) {
        if skipBlanks() == UInt8(ascii: "#") {
            while let byte = peek(), !isLineEnd() {
                if isControl(byte) { throw complaint("a comment has a control character in it") }
                position += 1
            }
        }
        guard let byte = peek() else { return }
        guard isLineEnd() else { throw complaint("something stands behind the end of a value") }
        position += byte == UInt8(ascii: "\r") ? 2 : 1
        line += 1
    }

    /// Whether a line ends here: `\n` or `\r\n`.
    func isLineEnd() -> Bool {
        guard let byte = peek() else { return true }
        if byte == UInt8(ascii: "\n") { return true }
        return byte == UInt8(ascii: "\r") && position + 1 < bytes.count
            && bytes[position + 1] == UInt8(ascii: "\n")
    }

    func isControl(_ byte: UInt8) -> Bool {
        byte < 0x20 && byte != UInt8(ascii: "\t") || byte == 0x7f
    }

    func complaint(_ sentence: String) -> SettingsComplaint {
        SettingsComplaint(.file(path, line: line), sentence)
    }
}
