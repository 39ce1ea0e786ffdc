import WriteBack

/// One file of `hubfs diff`, for people and for `git apply`.
struct ShownDifference {
    let edit: ShownEdit
    let hunks: String

    private var isText: Bool { edit.addedLines != nil }

    /// The file's lines in git's form. Source: git's documentation, diff-format, "Generating patch
    /// text with -p".
    var patch: String {
        let old = Self.quoted("a/" + (edit.oldPath ?? edit.path))
        let new = Self.quoted("b/" + edit.path)
        var lines = ["diff --git \(old) \(new)"]
        switch edit.kind {
        case .added: lines.append("new file mode 100644")
        case .deleted: lines.append("deleted file mode 100644")
        case .renamed:
            lines += [
                "similarity index 100%", "rename from \(Self.quoted(edit.oldPath ?? edit.path))",
                "rename to \(Self.quoted(edit.path))",
            ]
        case .modified: break
        }
        if isText {
            if !hunks.isEmpty {
                lines.append("--- " + (edit.kind == .added ? "/dev/null" : old))
                lines.append("+++ " + (edit.kind == .deleted ? "/dev/null" : new))
            }
            return lines.joined(separator: "\n") + "\n" + hunks
        }
        lines.append("Binary files differ:")
        if let size = edit.oldSize { lines.append(" was \(size) bytes, \(edit.oldContent ?? "?")") }
        if let size = edit.newSize {
            lines.append(" now \(size) bytes, \(edit.newContent ?? "named by the commit")")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Name, and lines or sizes: the columns of `--stat`.
    var summary: [String] {
        let name = edit.oldPath.map { "\(printable($0)) => " } ?? ""
        if let added = edit.addedLines, let removed = edit.removedLines {
            return [name + printable(edit.path), "+\(added) -\(removed)"]
        }
        let sizes = [edit.oldSize, edit.newSize].map { $0.map(readableSize) ?? "0 B" }
        return [name + printable(edit.path), "\(sizes[0]) -> \(sizes[1])"]
    }

    /// A name as git writes it into a patch: in quotes where a character needs it.
    private static func quoted(_ name: String) -> String {
        let needsQuotes = name.utf8.contains { byte in
            byte < 0x20 || byte == 0x7f || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
        }
        if !needsQuotes { return name }
        var quoted = "\""
        for scalar in name.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f:
                let digits = String(scalar.value, radix: 8)
                quoted += "\\" + String(repeating: "0", count: 3 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
