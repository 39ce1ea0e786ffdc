/// Where a repo, a revision and a directory are, as users write it.
///
/// Forms: `hf://[models/|datasets/|spaces/]ns/name[@rev][/path]`; the same without `hf://`; a Hub web
/// URL, also of a file or folder; a legacy name of one segment such as `gpt2`, without `hf://`.
/// A revision with slashes is written with `%2F`, but `refs/pr/N` and `refs/convert/NAME` as they
/// are. Verdicts on `hf://` and web URLs are those of huggingface_hub's `parse_hf_uri`, except that
/// names are ASCII, as on the Hub.
package struct HubURI: Hashable, Sendable, CustomStringConvertible {
    package let repo: RepoID
    /// nil when the text names none: the repo's main branch.
    package let revision: Revision?
    /// From the root of the repo, without slashes at its ends; "" for the root.
    package let path: String

    package init(repo: RepoID, revision: Revision?, path: String) {
        self.repo = repo
        self.revision = revision
        self.path = path
    }

    /// Why a text is no URI of ours: what is wrong and what to write instead.
    package struct Invalid: Error, Hashable, Sendable, CustomStringConvertible {
        package let description: String
    }

    /// - Parameter endpoint: The Hub in use; its web URLs are understood besides huggingface.co's.
    package init(
        parsing text: String, endpoint: String = "https://huggingface.co"
    ) throws(Invalid) {
        if text.hasPrefix("hf://") {
            self = try Self.parseBody(text.dropFirst("hf://".count), allowsLegacyName: false)
        } else if HubPage.looksLikePage(text, endpoint: endpoint) {
            let body = try HubPage.uriBody(text, endpoint: endpoint)
            self = try Self.parseBody(body[...], allowsLegacyName: false)
        } else if text.contains("://") {
            throw Invalid(
                description: "'\(text)' is neither hf://… nor a web address of the Hub: "
                    + "write hf://namespace/name[@revision][/path]")
        } else {
            self = try Self.parseBody(text[...], allowsLegacyName: true)
        }
    }

    /// The canonical form: what `init(parsing:)` reads back as the same value. A legacy name of
    /// one segment has no `hf://` form, so it is written bare.
    package var description: String {
        let isLegacy = !repo.name.contains("/")
        var text = isLegacy ? "" : "hf://"
        text += isLegacy && repo.kind == .model ? repo.name : repo.description
        if let revision {
            let isWhole = specialRefLength(revision.name[...]) == revision.name.utf8.count
            text += "@" + (isWhole ? revision.name : encoded(revision.name))
        }
        return path.isEmpty ? text : text + "/" + path
    }

    private func encoded(_ revision: String) -> String { Revision(revision).segment }
}

extension Revision {
    /// The revision as one segment of a path or URI: `refs%2Fpr%2F3`. Only what would be read
    /// differently is encoded: `init(segment:)` undoes `%XX`, and a path is split at `/`.
    package var segment: String {
        name.split(separator: "%", omittingEmptySubsequences: false).joined(separator: "%25")
            .split(separator: "/", omittingEmptySubsequences: false).joined(separator: "%2F")
    }

    /// Reads what `segment` writes, and other spellings of it.
    package init(segment: some StringProtocol) { self.init(percentDecoded(segment)) }

    /// Whether a commit, branch, tag or other ref can have this name, so that it is worth a question.
    /// Source: man 1 git-check-ref-format.
    package var isPossible: Bool {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        guard !parts.allSatisfy(\.isEmpty), name != "@", name.utf8.count <= 250 else {
            return false
        }
        let hasGoodParts = parts.allSatisfy { part in
            !part.isEmpty && !part.hasPrefix(".") && !part.hasSuffix(".lock")
        }
        let hasGoodBytes = name.utf8.allSatisfy { byte in
            byte > 0x20 && byte != 0x7f && !"~^:?*[\\".utf8.contains(byte)
        }
        return hasGoodParts && hasGoodBytes && !name.hasSuffix(".") && !name.contains("..")
            && !name.contains("@{")
    }
}

extension HubURI {
    /// `[kind/]id[@revision][/path]`.
    private static func parseBody(
        _ body: Substring, allowsLegacyName: Bool
    ) throws(Invalid) -> HubURI {
        guard !body.isEmpty else {
            throw Invalid(description: "nothing names a repo: write hf://namespace/name")
        }
        let (kind, location) = try splitKind(body)
        let trimmed = trimmingSlashes(location)
        guard !trimmed.isEmpty else {
            throw Invalid(description: "'\(body)' names no repo: write \(kind.example)")
        }
        let (name, revision, path) = try splitLocation(
            trimmed, kind: kind, allowsLegacyName: allowsLegacyName)
        if let wrong = faultOfRepoName(name) {
            throw Invalid(description: "'\(name)' is no repo id: \(wrong)")
        }
        if path.hasPrefix("/") || path.contains("//") {
            throw Invalid(
                description: "the path '\(path)' has an empty segment: write single slashes")
        }
        if kind == .bucket, !name.contains("/") {
            throw Invalid(description: "'\(body)' names no bucket: write \(kind.example)")
        }
        if kind == .bucket, revision != nil {
            throw Invalid(
                description:
                    "a bucket has no revisions: write \(kind.example), without '@'")
        }
        return HubURI(
            repo: RepoID(kind: kind, name: String(name)), revision: revision, path: String(path))
    }

    private static func splitKind(
        _ body: Substring
    ) throws(Invalid) -> (RepoKind, Substring) {
        let first = body.prefix { $0 != "/" }
        let isAlone = first.endIndex == body.endIndex
        switch first {
        case "model", "dataset", "space", "kernel", "bucket":
            throw Invalid(
                description:
                    "the kind of repo is written in the plural: '\(first)s/', not '\(first)'")
        default: break
        }
        guard let kind = RepoKind.allCases.first(where: { $0.apiName == first }) else {
            return (.model, body)
        }
        if isAlone {
            throw Invalid(description: "'\(first)' names no repo: write \(kind.example)")
        }
        return (kind, body[first.endIndex...].dropFirst())
    }

    /// An `@` begins a revision only right after the id; deeper it belongs to a file's name.
    private static func splitLocation(
        _ location: Substring, kind: RepoKind, allowsLegacyName: Bool
    ) throws(Invalid) -> (name: Substring, revision: Revision?, path: Substring) {
        let mark = location.firstIndex(of: "@").flatMap { mark in
            location[..<mark].filter { $0 == "/" }.count > 1 ? nil : mark
        }
        guard let mark else {
            let parts = location.split(
                separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
            if parts.count == 1 { try checkLegacyName(location, kind, allowsLegacyName) }
            let name = parts.count == 1 ? location : location[..<parts[1].endIndex]
            return (name, nil, parts.count > 2 ? parts[2] : "")
        }
        let name = location[..<mark]
        guard !name.isEmpty else {
            throw Invalid(
                description: "no repo id stands before '@': write \(kind.example)@revision")
        }
        if !name.contains("/") { try checkLegacyName(name, kind, allowsLegacyName) }
        let (revision, path) = splitRevision(location[location.index(after: mark)...])
        guard !revision.isEmpty else {
            throw Invalid(
                description:
                    "no revision stands after '@': write \(name)@main, or leave out the '@'")
        }
        return (name, Revision(revision), path)
    }

    private static func checkLegacyName(
        _ name: Substring, _ kind: RepoKind, _ allowsLegacyName: Bool
    ) throws(Invalid) {
        if !allowsLegacyName {
            throw Invalid(
                description:
                    "'\(name)' lacks its namespace: write \(kind.example), or the bare name "
                    + "for an old repo without one")
        }
    }

    private static func splitRevision(_ text: Substring) -> (revision: String, path: Substring) {
        if let length = specialRefLength(text) {
            let end = text.utf8.index(text.startIndex, offsetBy: length)
            let rest = text[end...]
            return (String(text[..<end]), rest.hasPrefix("/") ? rest.dropFirst() : rest)
        }
        let name = text.prefix { $0 != "/" }
        return (percentDecoded(name), text[name.endIndex...].dropFirst())
    }

    private static func trimmingSlashes(_ text: Substring) -> Substring {
        var trimmed = text.drop { $0 == "/" }
        while trimmed.last == "/" { trimmed.removeLast() }
        return trimmed
    }
}

extension RepoKind {
    /// The form to show in an error message.
    fileprivate var example: String {
        self == .model ? "hf://namespace/name" : "hf://\(apiName)/namespace/name"
    }
}

/// How many bytes of `text` are a ref with slashes of its own, `refs/pr/N` or `refs/convert/NAME`.
private func specialRefLength(_ text: Substring) -> Int? {
    for prefix in ["refs/pr/", "refs/convert/"] where text.hasPrefix(prefix) {
        let isNumber = prefix == "refs/pr/"
        let name = text.utf8.dropFirst(prefix.utf8.count).prefix { byte in
            isNumber ? (0x30...0x39).contains(byte) : isNameByte(byte)
        }
        if !name.isEmpty { return prefix.utf8.count + name.count }
    }
    return nil
}

private func isNameByte(_ byte: UInt8) -> Bool { isWordByte(byte) || byte == 0x2d || byte == 0x2e }

private func isWordByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
        true
    default: false
    }
}

/// What the Hub would refuse about a repo's `namespace/name` or legacy `name`.
///
/// - Returns: nil when nothing is wrong.
package func faultOfRepoName(_ name: some StringProtocol) -> String? {
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count <= 2 else { return "it has more than one slash" }
    for part in parts {
        guard let first = part.utf8.first, let last = part.utf8.reversed().first else {
            return "namespace and name must not be empty"
        }
        guard part.utf8.count <= 96 else { return "a part is longer than 96 characters" }
        guard part.utf8.allSatisfy(isNameByte) else {
            return "only letters, digits, '-', '_' and '.' are allowed"
        }
        guard isWordByte(first), isWordByte(last) else {
            return "a part begins or ends with '-' or '.'"
        }
    }
    if name.contains("--") || name.contains("..") { return "'--' and '..' are not allowed" }
    return name.hasSuffix(".git") ? "it must not end with '.git'" : nil
}
