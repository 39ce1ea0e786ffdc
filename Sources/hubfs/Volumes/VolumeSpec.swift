import HubClient
import SystemPackage

/// One repo, or a folder of it, and where it is mounted: what `-v` says, and what the Hub's own lists
/// of volumes have.
///
/// Source: huggingface_hub, `utils/_hf_uris.py` (`parse_hf_mount`) and `_space_api.py` (`Volume`).
struct VolumeSpec: Hashable {
    let uri: HubURI
    /// Absolute, without `.` and doubled slashes, and not the root.
    let mountPath: FilePath
    /// Read only unless it was said otherwise.
    let isWritable: Bool

    /// `hf://[TYPE/]ID[@REV][/PATH]:/DIR[:ro|:rw]`.
    ///
    /// - Throws: `Failure` with code `usage`.
    init(parsing text: String, endpoint: String) throws(Failure) {
        let scheme = "hf://"
        guard text.hasPrefix(scheme) else {
            throw Self.invalid(text, "it does not begin with hf://")
        }
        var rest = text.dropFirst(scheme.count)
        isWritable = rest.hasSuffix(":rw")
        if isWritable || rest.hasSuffix(":ro") { rest = rest.dropLast(":ro".count) }
        // The last one: a file's name may have a colon too.
        guard let colon = rest.ranges(of: ":/").last?.lowerBound else {
            throw Self.invalid(text, "it does not say where to mount")
        }
        mountPath = try Self.directory(String(rest[rest.index(after: colon)...]))
        uri = try SourceName(scheme + rest[..<colon], endpoint: endpoint).uri
    }

    /// An object of the Hub's: `type`, `source`, `mountPath`, `revision`, `readOnly`, `path`.
    ///
    /// - Throws: `Failure` with code `usage`.
    init(_ json: JSON) throws(Failure) {
        guard case .object = json else { throw Failure(.usage, "it is no object") }
        let type = try Self.text("type", of: json) ?? RepoKind.model.rawValue
        guard let kind = RepoKind(rawValue: type), kind != .kernel else {
            throw Failure(.usage, "the type '\(type)' is none of model, dataset, space, bucket")
        }
        guard let source = try Self.text("source", of: json) else {
            throw Failure(.usage, "'source' is missing")
        }
        guard let directory = try Self.text("mountPath", of: json) else {
            throw Failure(.usage, "'mountPath' is missing")
        }
        mountPath = try Self.directory(directory)
        switch json["readOnly"] {
        case nil, .null, .bool(true): isWritable = false
        case .bool(false): isWritable = true
        default: throw Failure(.usage, "'readOnly' is neither true nor false")
        }
        let revision = try Self.text("revision", of: json).map { Revision($0) }
        if kind == .bucket, revision != nil {
            throw Failure(.usage, "'revision' is for repos, a bucket has none")
        }
        uri = HubURI(
            repo: try Self.repo(kind, source), revision: revision,
            path: try Self.folder(try Self.text("path", of: json) ?? ""))
    }

    /// As `-v` has it, for messages.
    var description: String {
        let source = uri.description.hasPrefix("hf://") ? uri.description : "hf://\(uri)"
        return "\(source):\(mountPath)\(isWritable ? ":rw" : "")"
    }

    /// The volumes in an order in which they can be mounted: a directory in a volume comes after it.
    ///
    /// - Throws: `Failure` with code `usage` for two at one place.
    static func ordered(_ volumes: [VolumeSpec]) throws(Failure) -> [VolumeSpec] {
        var places: Set<FilePath> = []
        for volume in volumes where !places.insert(volume.mountPath).inserted {
            throw Failure(.usage, "two volumes are to be mounted at \(volume.mountPath)")
        }
        return volumes.sorted { $0.mountPath.components.count < $1.mountPath.components.count }
    }

    private static func invalid(_ text: String, _ reason: String) -> Failure {
        Failure(
            .usage,
            "'\(text)' is no volume: \(reason); write "
                + "hf://[TYPE/]namespace/name[@revision][/folder]:/directory[:ro|:rw]")
    }

    private static func directory(_ text: String) throws(Failure) -> FilePath {
        let path = FilePath(text)
        guard path.isAbsolute, !path.components.isEmpty else {
            throw Failure(
                .usage, "a volume is mounted at an absolute path below /, and not at '\(text)'")
        }
        guard !path.components.contains(where: { $0.kind == .parentDirectory }) else {
            throw Failure(.usage, "the directory '\(text)' of a volume has '..' in it")
        }
        return path.lexicallyNormalized()
    }

    private static func repo(_ kind: RepoKind, _ source: String) throws(Failure) -> RepoID {
        let parsed: HubURI
        do throws(HubURI.Invalid) {
            parsed = try HubURI(parsing: "\(kind.apiName)/\(source)")
        } catch {
            throw Failure(.usage, error.description)
        }
        guard parsed.repo.name == source else {
            throw Failure(
                .usage,
                "'\(source)' is no repo id: a revision goes into 'revision', a folder into 'path'")
        }
        return parsed.repo
    }

    private static func folder(_ text: String) throws(Failure) -> String {
        var rest = text[...]
        while rest.hasPrefix("/") { rest.removeFirst() }
        while rest.hasSuffix("/") { rest.removeLast() }
        let names = rest.split(separator: "/", omittingEmptySubsequences: false)
        guard rest.isEmpty || !names.contains(where: { ["", ".", ".."].contains($0) }) else {
            throw Failure(.usage, "'\(text)' is no folder of a repo")
        }
        return String(rest)
    }

    /// A member that is a text, or is not there.
    private static func text(_ name: String, of json: JSON) throws(Failure) -> String? {
        switch json[name] {
        case nil, .null: return nil
        case .string(let text): return text.isEmpty ? nil : text
        default: throw Failure(.usage, "'\(name)' is no text")
        }
    }
}
