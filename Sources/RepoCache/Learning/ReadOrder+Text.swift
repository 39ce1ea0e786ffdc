import HubClient

/// The text that `--record` writes and the database keeps: JSON, an object a line.
///
/// ```
/// {"hubfs-read-order":1,"repo":"models/me/model","commit":"<40 digits>","ranges":2}
/// {"path":"config.json","oid":"<40 digits>","size":612,"offset":0,"length":612}
/// {"path":"model.safetensors","oid":"<64 digits>","size":90868376,"offset":0,"length":131072}
/// ```
///
/// The first line has the format's version and the number of lines that follow. `oid` is the git blob (40
/// digits) or the LFS sha256 (64) of the whole file, `offset` and `length` are bytes.
extension ReadOrder {
    /// Why a text is no order.
    package enum Damage: Error, Hashable, Sendable {
        /// It is something else.
        case foreign
        /// It was written by another version.
        case version(UInt64)
        /// A line is missing or cannot be understood; the first has the number 1.
        case line(Int)
    }

    package static let version: UInt64 = 1
    /// Larger texts are none of ours.
    package static let fileBytesMax = 16 << 20

    package var text: String {
        var text =
            "{\"hubfs-read-order\":\(Self.version),\"repo\":\(JSON.quoted(repo.description))"
            + ",\"commit\":\"\(commit.hex)\",\"ranges\":\(spans.count)}\n"
        for span in spans {
            let file = files[span.file]
            text +=
                "{\"path\":\(JSON.quoted(file.path)),\"oid\":\"\(file.content.hex)\""
                + ",\"size\":\(file.size),\"offset\":\(span.bytes.lowerBound)"
                + ",\"length\":\(span.bytes.count)}\n"
        }
        return text
    }

    /// Reads a text. Ranges beyond what an order holds are left out.
    package init(text: [UInt8]) throws(Damage) {
        var lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        guard let head = lines.first.flatMap({ JSON(Array($0)) }),
            let version = head["hubfs-read-order"]?.unsigned
        else { throw .foreign }
        guard version == Self.version else { throw .version(version) }
        guard let repo = head["repo"]?.string.flatMap(RepoID.init(described:)),
            let commit = head["commit"]?.string.flatMap({ CommitOID(hex: $0) }),
            let count = head["ranges"]?.unsigned
        else { throw .line(1) }
        self.init(repo: repo, commit: commit)
        // Each line ends, the last one too.
        guard lines.popLast()?.isEmpty == true else { throw .line(lines.count + 1) }
        for (index, line) in lines.enumerated().dropFirst() {
            guard let (file, bytes) = Self.range(line) else { throw .line(index + 1) }
            _ = add(bytes, of: file)
        }
        guard lines.count == Int(clamping: count) &+ 1 else { throw .line(lines.count + 1) }
    }

    private static func range(_ line: ArraySlice<UInt8>) -> (File, Range<UInt64>)? {
        guard let json = JSON(Array(line)), let path = json["path"]?.string, !path.isEmpty,
            let content = json["oid"]?.string.flatMap(ContentID.init(hex:)),
            let size = json["size"]?.unsigned, let offset = json["offset"]?.unsigned,
            let length = json["length"]?.unsigned, length > 0, length <= size,
            offset <= size - length
        else { return nil }
        return (File(path: path, content: content, size: size), offset..<offset + length)
    }
}

extension RepoID {
    /// Reads what `description` writes.
    fileprivate init?(described text: String) {
        guard let slash = text.firstIndex(of: "/"),
            let kind = RepoKind.allCases.first(where: { $0.apiName == text[..<slash] })
        else { return nil }
        self.init(kind: kind, name: String(text[text.index(after: slash)...]))
    }
}
