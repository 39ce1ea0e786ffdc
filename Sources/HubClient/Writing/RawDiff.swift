/// One path that differs between two commits.
package struct PathChange: Hashable, Sendable {
    package enum Status: String, Hashable, Sendable {
        case added = "A"
        case modified = "M"
        case deleted = "D"
        case renamed = "R"
        case copied = "C"
        /// File, executable or symlink: another kind than before.
        case typeChanged = "T"
    }

    package let status: Status
    package let path: String
    /// Where it went, for renamed and copied ones.
    package let newPath: String?
    /// The blob there is now, for LFS files that of the pointer; nil for a deleted path.
    package let newOID: BlobOID?

    package init(status: Status, path: String, newPath: String?, newOID: BlobOID?) {
        self.status = status
        self.path = path
        self.newPath = newPath
        self.newOID = newOID
    }
}

/// Reads the Hub's raw comparison of two commits, one path a line:
///
///     T 2305\t:100644 100644 <old oid>... <new oid>... M\tpath
///     B 134\t:100644 100644 <old oid>... <new oid>... R100\told path\tnew path
///
/// Text or binary, the new size, then what `git diff --raw` writes; an oid of zeros is an absent
/// side. A path with odd characters stands in quotes, with the escapes of C. Source: git-diff(1),
/// "Raw output format" and `core.quotePath`.
enum RawDiff {
    /// Why a comparison cannot be used, in words for `HubError.malformed`.
    struct Invalid: Error {
        let reason: String
    }

    static func changes(_ text: [UInt8]) throws(Invalid) -> [PathChange] {
        var changes: [PathChange] = []
        for line in text.split(separator: UInt8(ascii: "\n")) {
            changes.append(try change(line))
        }
        return changes
    }

    private static func change(_ line: ArraySlice<UInt8>) throws(Invalid) -> PathChange {
        let tab = UInt8(ascii: "\t")
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")),
            let tabIndex = line[colon...].firstIndex(of: tab)
        else { throw Invalid(reason: "a line of the comparison has no path") }
        let words = line[colon..<tabIndex].split(separator: UInt8(ascii: " "))
        guard words.count == 5, let letter = words[4].first,
            let status = PathChange.Status(rawValue: String(decoding: [letter], as: UTF8.self)),
            words[4].dropFirst().allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            )
        else { throw Invalid(reason: "a line of the comparison has no status") }
        let oid = try oid(words[3])
        guard (oid == nil) == (status == .deleted) else {
            throw Invalid(reason: "a line of the comparison has no oid")
        }
        var rest = line[(tabIndex + 1)...]
        let hasTwoPaths = status == .renamed || status == .copied
        let path = try takePath(&rest, endsAtBlank: hasTwoPaths)
        guard hasTwoPaths == !rest.isEmpty else {
            throw Invalid(reason: "a line of the comparison has the wrong number of paths")
        }
        let newPath = hasTwoPaths ? try takePath(&rest, endsAtBlank: false) : nil
        guard rest.isEmpty else { throw Invalid(reason: "a line of the comparison does not end") }
        return PathChange(status: status, path: path, newPath: newPath, newOID: oid)
    }

    /// - Returns: nil for an absent side.
    private static func oid(_ word: ArraySlice<UInt8>) throws(Invalid) -> BlobOID? {
        let digits = word.prefix { $0 != UInt8(ascii: ".") }
        guard word.dropFirst(digits.count).allSatisfy({ $0 == UInt8(ascii: ".") }),
            let oid = BlobOID(hex: String(decoding: digits, as: UTF8.self))
        else { throw Invalid(reason: "a line of the comparison has no oid") }
        return oid.words == DigestWords() ? nil : oid
    }

    /// Takes a path and the separator after it.
    ///
    /// - Parameter endsAtBlank: Another path follows. The separator is a tab; where there is none,
    ///   the Hub's blank, which is unambiguous only if there is one alone.
    private static func takePath(
        _ rest: inout ArraySlice<UInt8>, endsAtBlank: Bool
    ) throws(Invalid) -> String {
        let separators = [UInt8(ascii: "\t"), UInt8(ascii: " ")]
        var bytes: [UInt8]
        if rest.first == UInt8(ascii: "\"") {
            bytes = try takeQuoted(&rest)
            if endsAtBlank, let next = rest.first, separators.contains(next) { rest.removeFirst() }
        } else {
            var end = rest.endIndex
            if endsAtBlank {
                let tab = rest.firstIndex(of: separators[0])
                guard let mark = tab ?? rest.firstIndex(of: separators[1]),
                    tab != nil || rest[(mark + 1)...].firstIndex(of: separators[1]) == nil
                else { throw Invalid(reason: "two paths cannot be told apart") }
                end = mark
            }
            bytes = Array(rest[..<end])
            rest = rest[min(end + 1, rest.endIndex)...]
        }
        guard let path = String(validating: bytes, as: UTF8.self), TreePage.isPath(path) else {
            throw Invalid(reason: "a path of the comparison is none")
        }
        return path
    }

    /// `"a\tb\303\251"`.
    private static func takeQuoted(_ rest: inout ArraySlice<UInt8>) throws(Invalid) -> [UInt8] {
        let unfinished = Invalid(reason: "a quoted path does not end")
        var bytes: [UInt8] = []
        rest.removeFirst()
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""): return bytes
            case UInt8(ascii: "\\"):
                guard let escaped = takeEscape(&rest) else { throw unfinished }
                bytes.append(escaped)
            default: bytes.append(byte)
            }
        }
        throw unfinished
    }

    /// What follows a backslash: a letter, or three octal digits.
    private static func takeEscape(_ rest: inout ArraySlice<UInt8>) -> UInt8? {
        let letters: [UInt8: UInt8] = [
            UInt8(ascii: "a"): 7, UInt8(ascii: "b"): 8, UInt8(ascii: "t"): 9,
            UInt8(ascii: "n"): 10, UInt8(ascii: "v"): 11, UInt8(ascii: "f"): 12,
            UInt8(ascii: "r"): 13, UInt8(ascii: "\""): UInt8(ascii: "\""),
            UInt8(ascii: "\\"): UInt8(ascii: "\\"),
        ]
        guard let first = rest.first else { return nil }
        if let byte = letters[first] {
            rest.removeFirst()
            return byte
        }
        let digits = rest.prefix(3)
        rest = rest.dropFirst(3)
        return digits.count == 3 ? UInt8(String(decoding: digits, as: UTF8.self), radix: 8) : nil
    }
}
