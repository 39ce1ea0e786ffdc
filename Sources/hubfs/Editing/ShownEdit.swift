import HubClient
import WriteBack

/// One edited file, as it goes over the control socket and as scripts see it.
struct ShownEdit {
    var kind: EditList.Edit.Kind
    var path: String
    /// Where a renamed file was.
    var oldPath: String?
    /// Bytes; nil where there is no such side.
    var oldSize: UInt64?
    var newSize: UInt64?
    /// Hexadecimal: 40 digits for a git blob, 64 for an LFS object.
    var oldContent: String?
    var newContent: String?
    /// Lines, where the file was compared as text.
    var addedLines: Int?
    var removedLines: Int?

    init(_ edit: EditList.Edit) {
        kind = edit.kind
        path = Self.cut(edit.path)
        if edit.kind == .renamed { oldPath = edit.old.map { Self.cut($0.path) } }
        oldSize = edit.old?.size
        newSize = edit.new?.size
        oldContent = edit.old?.content.digest
        newContent = edit.new?.content?.digest
    }

    init(_ comparison: FileComparison) {
        self.init(comparison.edit)
        newContent = comparison.newContent?.digest
        addedLines = comparison.text?.addedCount
        removedLines = comparison.text?.removedCount
    }

    /// The same with its paths from the mount point, in a mount of several repos.
    ///
    /// - Parameter place: Of the repo; "" where that is what is mounted.
    func below(_ place: String) -> ShownEdit {
        var edit = self
        edit.path = Self.cut(path, below: place)
        edit.oldPath = oldPath.map { Self.cut($0, below: place) }
        return edit
    }

    /// A path from the mount point that fits into a line of the control socket.
    static func cut(_ path: String, below place: String) -> String {
        place.isEmpty ? path : cut(place + "/" + path)
    }

    /// A path that fits into a line of the control socket.
    static func cut(_ path: String) -> String {
        if path.utf8.count <= ControlQuestion.pathBytesMax { return path }
        return String(
            decoding: Array(path.utf8.prefix(ControlQuestion.pathBytesMax)), as: UTF8.self) + "…"
    }

    var json: JSON {
        .object([
            "kind": .string(kind.rawValue), "path": .string(path), "oldPath": .optional(oldPath),
            "oldSize": .optional(oldSize), "newSize": .optional(newSize),
            "oldContent": .optional(oldContent), "newContent": .optional(newContent),
            "addedLines": .optional(addedLines), "removedLines": .optional(removedLines),
        ])
    }

    /// - Returns: nil when a member is missing or of another type.
    init?(_ json: JSON) {
        guard let kind = json["kind"]?.string.flatMap(EditList.Edit.Kind.init(rawValue:)),
            let path = json["path"]?.string
        else { return nil }
        self.kind = kind
        self.path = path
        oldPath = json["oldPath"]?.string
        oldSize = json["oldSize"]?.unsigned
        newSize = json["newSize"]?.unsigned
        oldContent = json["oldContent"]?.string
        newContent = json["newContent"]?.string
        addedLines = json["addedLines"]?.integer.map { Int($0) }
        removedLines = json["removedLines"]?.integer.map { Int($0) }
    }

    /// `~ config.json (25 B, was 20 B)`, for people.
    var line: String {
        let size = newSize.map(readableSize) ?? ""
        let name = printable(path)
        return switch kind {
        case .added: "+ \(name) (\(size))"
        case .deleted: "- \(name)"
        case .renamed: "> \(printable(oldPath ?? "?")) -> \(name)"
        case .modified:
            "~ \(name) (\(size)"
                + (oldSize == newSize ? ")" : ", was \(oldSize.map(readableSize) ?? "?"))")
        }
    }
}

/// Something that stays in the workspace.
struct ShownLocalOnly {
    /// Why, in three words: what people want to know apart.
    enum Group: String, CaseIterable {
        /// git or the Hub has no such thing.
        case localOnly
        case ignored
        /// It was meant for the Hub, which cannot have it.
        case unpublishable

        var title: String {
            switch self {
            case .localOnly: "only here"
            case .ignored: "ignored"
            case .unpublishable: "cannot be committed"
            }
        }
    }

    let group: Group
    let path: String
    let reason: String

    /// - Parameter place: Of the repo, from the mount point; "" where that is what is mounted.
    init(_ item: LocalOnly, below place: String = "") {
        path = ShownEdit.cut(ShownEdit.cut(item.path), below: place)
        reason = item.reason.sentence
        group =
            switch item.reason {
            case .ignored, .gitIgnored: .ignored
            case .unpublishable, .refused: .unpublishable
            case .emptyDirectory, .setAside, .symbolicLink, .openForWriting: .localOnly
            }
    }

    var json: JSON {
        .object([
            "group": .string(group.rawValue), "path": .string(path), "reason": .string(reason),
        ])
    }

    /// - Returns: nil when a member is missing or of another type.
    init?(_ json: JSON) {
        guard let group = json["group"]?.string.flatMap(Group.init(rawValue:)),
            let path = json["path"]?.string, let reason = json["reason"]?.string
        else { return nil }
        self.group = group
        self.path = path
        self.reason = reason
    }
}

/// A path that both sides changed.
struct ShownConflict {
    let path: String
    let theirs: ConflictedPath.Theirs

    /// - Parameter place: Of the repo, from the mount point; "" where that is what is mounted.
    init(_ conflict: ConflictedPath, below place: String = "") {
        path = ShownEdit.cut(ShownEdit.cut(conflict.path), below: place)
        theirs = conflict.theirs
    }

    var json: JSON {
        .object(["path": .string(path), "theirs": .string(theirs.rawValue)])
    }

    /// - Returns: nil when a member is missing or of another type.
    init?(_ json: JSON) {
        guard let path = json["path"]?.string,
            let theirs = json["theirs"]?.string.flatMap(ConflictedPath.Theirs.init(rawValue:))
        else { return nil }
        self.path = path
        self.theirs = theirs
    }

    /// `! config.json (others removed it)`, for people.
    var line: String {
        let what =
            switch theirs {
            case .file: "others changed it"
            case .folder: "others changed what is in it"
            case .nothing: "others removed it"
            }
        return "! \(printable(path)) (\(what))"
    }
}

/// What all edits come to.
struct EditSums {
    /// 40 digits; empty for several repos.
    let base: String
    let editCount: Int
    /// What a commit sends, bytes.
    let uploadBytes: UInt64
    /// What a commit reads from the Hub first, unless the cache has it, bytes.
    let neededBytes: UInt64

    init(_ list: EditList) {
        base = list.base.hex
        editCount = list.edits.count
        uploadBytes = list.uploadBytes
        neededBytes = list.neededBaseBytes
    }

    /// Of several repos together.
    init(_ parts: [EditSums]) {
        base = parts.count == 1 ? parts[0].base : ""
        editCount = parts.reduce(0) { $0 + $1.editCount }
        uploadBytes = parts.reduce(0) { $0 + $1.uploadBytes }
        neededBytes = parts.reduce(0) { $0 + $1.neededBytes }
    }

    var json: JSON {
        .object([
            "base": .string(base), "edits": .integer(Int64(editCount)),
            "uploadBytes": .count(uploadBytes), "neededBytes": .count(neededBytes),
        ])
    }

    /// - Returns: nil when a member is missing or of another type.
    init?(_ json: JSON) {
        guard let base = json["base"]?.string, let count = json["edits"]?.integer,
            let upload = json["uploadBytes"]?.unsigned, let needed = json["neededBytes"]?.unsigned
        else { return nil }
        self.base = base
        editCount = Int(count)
        uploadBytes = upload
        neededBytes = needed
    }

    /// `3 files, 1.2 KiB to upload`, for people.
    var line: String {
        if editCount == 0 { return "none" }
        let files = "\(editCount) file\(editCount == 1 ? "" : "s")"
        let needed = neededBytes > 0 ? ", \(readableSize(neededBytes)) to download for it" : ""
        return "\(files), \(readableSize(uploadBytes)) to upload\(needed)"
    }
}
