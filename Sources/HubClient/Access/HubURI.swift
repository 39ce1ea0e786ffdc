/// What a user names: a repo, a revision of it, and a path inside.
///
/// Forms: `hf://[models/|datasets/|spaces/]ns/name[@rev][/path]`, the same without `hf://`, a legacy
/// single name (`gpt2`), and the address of a page of the Hub. Where the official client's
/// `parse_hf_uri` accepts or refuses a form, this does the same.
package struct HubURI: Hashable, Sendable {
    package let repo: RepoID
    /// nil when none was written: `main`.
    package let revision: Revision?
    /// Path from the root of the repo, without slashes at its ends; "" for the root.
    package let path: String

    package init(repo: RepoID, revision: Revision?, path: String) {
        self.repo = repo
        self.revision = revision
        self.path = path
    }

    /// Why a text names no repo; the description is a sentence for people.
    package struct Invalid: Error, Hashable, Sendable, CustomStringConvertible {
        package let description: String
    }

    /// - Parameter endpoint: The Hub whose web addresses are understood beside huggingface.co's.
    package init(parsing text: String, endpoint: String) throws(Invalid) {
        if text.hasPrefix("http://") || text.hasPrefix("https://") {
            try self.init(page: text, endpoint: endpoint)
        } else if text.hasPrefix("hf://") {
            try self.init(body: String(text.dropFirst(5)), mayBeLegacy: true)
        } else if text.contains("://") {
            throw Invalid(description: "'\(text)' is no Hub address: write hf://namespace/name")
        } else {
            try self.init(body: text, mayBeLegacy: true)
        }
    }

    private init(body: String, mayBeLegacy: Bool) throws(Invalid) {
        var segments = body.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        while segments.last == "" { segments.removeLast() }
        guard !segments.isEmpty, !segments.contains("") else {
            throw Invalid(description: "'\(body)' is incomplete: write hf://namespace/name")
        }
        var kind = RepoKind.model
        if let named = RepoKind.allCases.first(where: { $0.apiName == segments[0] }) {
            kind = named
            segments.removeFirst()
        } else if ["buckets", "kernels"].contains(segments[0]) {
            throw Invalid(
                description: "\(segments[0]) cannot be mounted: only models, datasets and spaces")
        }
        guard !segments.isEmpty else {
            throw Invalid(description: "'\(body)' names a kind of repo but no repo")
        }
        // The revision follows the name: in the second segment, or in the first of a legacy name.
        let isLegacy = segments.count == 1 || segments[0].contains("@")
        guard !isLegacy || kind == .model && mayBeLegacy else {
            throw Invalid(
                description: "'\(body)' has no namespace: write \(kind.apiName)/namespace/name")
        }
        let nameCount = isLegacy ? 1 : 2
        let (last, revisionStart) = Self.splitRevision(segments[nameCount - 1])
        let name = (segments[..<(nameCount - 1)] + [last]).joined(separator: "/")
        var rest = segments[nameCount...]
        revision = try Self.takeRevision(revisionStart, &rest, in: body)
        repo = RepoID(kind: kind, name: try Self.checked(name))
        path = try Self.checkedPath(rest)
    }

    /// `https://host/[datasets/|spaces/]ns/name[/tree|blob|resolve|raw/REV[/PATH]]`
    private init(page: String, endpoint: String) throws(Invalid) {
        let origin = HubURLs.origin(page)
        guard
            origin == HubURLs.origin(endpoint) || origin == "https://huggingface.co"
                || origin == "https://hf.co"
        else {
            throw Invalid(description: "'\(page)' is not a page of \(endpoint)")
        }
        let afterScheme = page[page.firstRange(of: "://")!.upperBound...]
        let path = afterScheme.drop { $0 != "/" }.prefix { $0 != "?" && $0 != "#" }
        var segments = path.split(separator: "/").map(String.init)
        var kind = RepoKind.model
        if let named = RepoKind.allCases.first(where: { $0.apiName == segments.first }) {
            kind = named
            segments.removeFirst()
        }
        let verbs = ["tree", "blob", "resolve", "raw"]
        let verb = segments.prefix(3).firstIndex { verbs.contains($0) } ?? segments.count
        guard (1...2).contains(verb) else {
            throw Invalid(description: "'\(page)' names no repo: the address of a repo's page does")
        }
        repo = RepoID(
            kind: kind, name: try Self.checked(segments[..<verb].joined(separator: "/")))
        guard verb + 1 < segments.count else {
            (revision, self.path) = (nil, "")
            return
        }
        var rest = segments[(verb + 2)...]
        revision = try Self.takeRevision(segments[verb + 1], &rest, in: page)
        self.path = try Self.checkedPath(rest)
    }

    private static func splitRevision(_ segment: String) -> (name: String, revision: String?) {
        guard let at = segment.firstIndex(of: "@") else { return (segment, nil) }
        return (String(segment[..<at]), String(segment[segment.index(after: at)...]))
    }

    /// Completes a revision: `refs/pr/N` and `refs/convert/NAME` go on in the next segments.
    private static func takeRevision(
        _ start: String?, _ rest: inout ArraySlice<String>, in text: String
    ) throws(Invalid) -> Revision? {
        guard let start else { return nil }
        guard !start.isEmpty, let decoded = percentDecoded(start) else {
            throw Invalid(description: "'\(text)' has no revision behind the @")
        }
        guard decoded == "refs", let group = rest.first, ["pr", "convert"].contains(group),
            let name = rest.dropFirst().first
        else { return Revision(decoded) }
        rest = rest.dropFirst(2)
        return Revision("refs/\(group)/\(name)")
    }

    /// Source: `huggingface_hub.utils.validate_repo_id`.
    private static func checked(_ name: String) throws(Invalid) -> String {
        for segment in name.split(separator: "/", omittingEmptySubsequences: false) {
            let isAllowed = segment.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"),
                    UInt8(ascii: "."):
                    true
                default: false
                }
            }
            let ends: (Character) -> Bool = { $0 == "-" || $0 == "." }
            guard isAllowed, !segment.isEmpty, segment.utf8.count <= 96,
                !ends(segment.first!), !ends(segment.last!), !segment.contains("--"),
                !segment.contains(".."), !segment.hasSuffix(".git")
            else {
                throw Invalid(
                    description: "'\(name)' cannot be a repo's name: letters, digits, '-', '_' and "
                        + "'.', at most 96, not '--' or '..', not beginning or ending with '-' or '.'"
                )
            }
        }
        return name
    }

    private static func checkedPath(_ segments: ArraySlice<String>) throws(Invalid) -> String {
        guard !segments.contains(where: { $0 == "." || $0 == ".." }) else {
            throw Invalid(description: "a path inside a repo cannot contain '.' or '..'")
        }
        return segments.joined(separator: "/")
    }
}

extension HubURI: CustomStringConvertible {
    /// The canonical form, `hf://datasets/ns/name@rev/path`.
    package var description: String {
        let prefix = repo.kind == .model ? "" : repo.kind.apiName + "/"
        let revision = revision.map {
            $0.name.hasPrefix("refs/") ? "@" + $0.name : "@" + percentEncoded($0.name)
        }
        return "hf://\(prefix)\(repo.name)\(revision ?? "")\(path.isEmpty ? "" : "/" + path)"
    }
}
