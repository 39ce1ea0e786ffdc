// Source: TOML 1.0.0, https://toml.io/en/v1.0.0.

extension ConfigReader {
    mutating func value(of key: String) throws(SettingsComplaint) -> ConfigFile.Value {
        switch peek() {
        case UInt8(ascii: "["): return .list(try list(of: key))
        case UInt8(ascii: "\""): return .text(try basicString())
        case UInt8(ascii: "'"): return .text(try literalString())
        case UInt8(ascii: "{"): throw complaint("'\(key)' takes no table")
        default: return try word(of: key)
        }
    }

    /// What is written without quotes: a boolean or a number.
    private mutating func word(of key: String) throws(SettingsComplaint) -> ConfigFile.Value {
        let word = take { byte in
            byte > 0x20 && byte != 0x7f && !#",#]"'"#.utf8.contains(byte)
        }
        switch word {
        case "": throw complaint("'\(key)' has no value: write \(key) = …")
        case "true": return .bool(true)
        case "false": return .bool(false)
        default:
            guard isNumber(word) else {
                throw complaint("write the value of '\(key)' in quotes: \"\(word)\"")
            }
            return .text(word.hasPrefix("+") ? String(word.dropFirst()) : word)
        }
    }

    /// A decimal number without exponent and underscores.
    private func isNumber(_ word: String) -> Bool {
        let digits = word.hasPrefix("+") || word.hasPrefix("-") ? word.dropFirst() : word[...]
        let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
        let isAllDigits = parts.allSatisfy { part in
            !part.isEmpty && part.utf8.allSatisfy { (0x30...0x39).contains($0) }
        }
        // 010 is no number in TOML.
        return isAllDigits && parts.count <= 2 && (parts[0].count == 1 || parts[0].first != "0")
    }

    private mutating func list(of key: String) throws(SettingsComplaint) -> [String] {
        var texts: [String] = []
        position += 1
        while true {
            try skipLines(in: key)
            if peek() == UInt8(ascii: "]") { break }
            guard peek() != UInt8(ascii: "["), case .text(let text) = try value(of: key) else {
                throw complaint("the list of '\(key)' is one of strings and numbers")
            }
            texts.append(text)
            try skipLines(in: key)
            if peek() == UInt8(ascii: ",") {
                position += 1
            } else if peek() != UInt8(ascii: "]") {
                throw complaint("the list of '\(key)' has no comma or ] here")
            }
        }
        position += 1
        return texts
    }

    /// Skips blanks, comments and ends of lines within a list.
    private mutating func skipLines(in key: String) throws(SettingsComplaint) {
        while true {
            guard let byte = skipBlanks() else {
                throw complaint("the list of '\(key)' has no end")
            }
            guard byte == UInt8(ascii: "#") || isLineEnd() else { return }
            try endLine()
        }
    }

    /// `"text"`, with escapes.
    mutating func basicString() throws(SettingsComplaint) -> String {
        try openQuotes()
        var text: [UInt8] = []
        while true {
            let byte = try byteOfString()
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"): text += try escape().utf8
            default: text.append(byte)
            }
        }
    }

    /// `'text'`, as it stands there.
    mutating func literalString() throws(SettingsComplaint) -> String {
        try openQuotes()
        let start = position
        while try byteOfString() != UInt8(ascii: "'") {}
        return String(decoding: bytes[start..<position - 1], as: UTF8.self)
    }

    private mutating func openQuotes() throws(SettingsComplaint) {
        let quote = bytes[position]
        if bytes[position...].starts(with: [quote, quote, quote]) {
            throw complaint("a string of several lines is not used here")
        }
        position += 1
    }

    private mutating func byteOfString() throws(SettingsComplaint) -> UInt8 {
        guard let byte = peek(), !isLineEnd() else { throw complaint("a string has no end") }
        if isControl(byte) { throw complaint("a string has a control character in it") }
        position += 1
        return byte
    }

    private mutating func escape() throws(SettingsComplaint) -> String {
        switch try byteOfString() {
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "u"): return try scalar(digitCount: 4)
        case UInt8(ascii: "U"): return try scalar(digitCount: 8)
        default:
            throw complaint(#"a string has a \ that nothing stands for: write \\, or use '…'"#)
        }
    }

    private mutating func scalar(digitCount: Int) throws(SettingsComplaint) -> String {
        let digits = String(decoding: bytes[position...].prefix(digitCount), as: UTF8.self)
        let isHex = digits.utf8.count == digitCount && digits.allSatisfy(\.isHexDigit)
        // No path and no word of a command line can have a zero in it.
        guard isHex, let code = UInt32(digits, radix: 16), code != 0,
            let scalar = Unicode.Scalar(code)
        else { throw complaint(#"a string has a \u that is no character"#) }
        position += digitCount
        return String(Character(scalar))
    }
}
