import Glibc
import HubClient

/// What is to be mounted for a volume, and how, from the options it was created with.
package struct VolumePlan: Sendable {
    /// The source in its canonical form, such as `hf://datasets/org/name@main/data`.
    package let source: String
    package let isWritable: Bool
    /// Whether the end of a mount brings the edits to the Hub.
    package let commitsAtEnd: Bool
    /// More words for `hubfs mount`.
    package let flags: [String]
    /// Those of them that say where the Hub is and who asks.
    package let hubFlags: [String]
    /// Variables for the mount's process, in place of ours.
    package var environment: [String: String] = [:]

    /// Options that `hubfs mount` has under the same name, with a value each.
    private static let passedNames = [
        "cache-size", "commit", "endpoint", "flush", "follow", "gid", "message", "on-conflict",
        "read-timeout", "token-file", "uid", "umask",
    ]
    private static let hubNames: Set = ["endpoint", "read-timeout", "token-file"]
    private static let editingNames = ["commit", "flush", "message", "on-conflict"]
    /// Options of our own.
    private static let ownNames = ["repo", "revision", "rw", "subpath", "uri"]
    /// Every option there is.
    static var names: [String] { (passedNames + ownNames).sorted() }

    init(
        source: String, isWritable: Bool, commitsAtEnd: Bool, flags: [String], hubFlags: [String]
    ) {
        self.source = source
        self.isWritable = isWritable
        self.commitsAtEnd = commitsAtEnd
        self.flags = flags
        self.hubFlags = hubFlags
    }

    /// - Parameters:
    ///   - options: As `docker volume create --opt NAME=VALUE` gives them.
    ///   - endpoint: The Hub of volumes that name none, whose web addresses are understood.
    ///   - checksFiles: Whether files that options name have to be there now.
    /// - Throws: `VolumeError.badOptions`. Values that only `hubfs mount` understands are not looked at.
    package init(
        _ name: VolumeName, _ options: [String: String], endpoint: String, checksFiles: Bool
    ) throws(VolumeError) {
        if let unknown = options.keys.sorted().first(where: { !Self.names.contains($0) }) {
            throw .badOptions(
                "unknown option '\(unknown)': hubfs volumes have \(Self.names.joined(separator: ", "))"
            )
        }
        source = try Self.source(options, endpoint: options["endpoint"] ?? endpoint)
        isWritable = try Self.isWritable(options["rw"])
        if !isWritable, let name = Self.editingNames.first(where: { options[$0] != nil }) {
            throw .badOptions("the option '\(name)' goes with rw=true")
        }
        if isWritable, options["follow"] != nil {
            throw .badOptions("the option 'follow' goes without rw")
        }
        if checksFiles, let file = options["token-file"] { try Self.checkTokenFile(file) }
        commitsAtEnd = isWritable && options["commit"] != "manual"

        var flags: [String] = []
        var hubFlags: [String] = []
        for option in Self.passedNames {
            guard let value = options[option] else { continue }
            guard !value.isEmpty else { throw .badOptions("the option '\(option)' needs a value") }
            // One word, so that no value can be taken for an option.
            flags.append("--\(option)=\(value)")
            if Self.hubNames.contains(option) { hubFlags.append("--\(option)=\(value)") }
        }
        // Containers have users of their own. Each volume has its own edits, under its own name.
        flags.append("--allow-other")
        if isWritable { flags += ["--writable", "--workspace=docker.\(name.text)"] }
        self.flags = flags
        self.hubFlags = hubFlags
    }

    private static func source(
        _ options: [String: String], endpoint: String
    ) throws(VolumeError) -> String {
        let text: String
        switch (options["uri"], options["repo"]) {
        case (let uri?, nil): text = uri
        case (nil, let repo?): text = repo
        case (nil, nil):
            throw .badOptions(
                "a volume needs the option uri=hf://namespace/name or repo=namespace/name")
        case (.some, .some): throw .badOptions("the options 'uri' and 'repo' exclude each other")
        }
        let uri: HubURI
        do throws(HubURI.Invalid) {
            uri = try HubURI(parsing: text, endpoint: endpoint)
        } catch {
            throw .badOptions(error.description)
        }
        var revision = uri.revision
        if let name = options["revision"] {
            guard !name.isEmpty else { throw .badOptions("the option 'revision' needs a value") }
            guard revision == nil else {
                throw .badOptions("'\(text)' names a revision already: leave out 'revision'")
            }
            revision = Revision(name)
        }
        var path = uri.path
        if let subpath = options["subpath"] {
            guard path.isEmpty else {
                throw .badOptions("'\(text)' names a folder already: leave out 'subpath'")
            }
            path = try Self.folder(subpath, named: "the option 'subpath'")
        }
        return HubURI(repo: uri.repo, revision: revision, path: path).description
    }

    /// - Parameter name: What the user knows the value by.
    static func folder(_ text: String, named name: String) throws(VolumeError) -> String {
        let parts = text.split(separator: "/")
        guard !parts.isEmpty, !parts.contains("."), !parts.contains("..") else {
            throw .badOptions("\(name) is a folder of the repo, such as data/train")
        }
        return parts.joined(separator: "/")
    }

    private static func isWritable(_ value: String?) throws(VolumeError) -> Bool {
        switch value {
        case nil, "false", "0": false
        case "", "true", "1": true
        case .some(let value): throw .badOptions("the option 'rw' is true or false, not '\(value)'")
        }
    }

    private static func checkTokenFile(_ path: String) throws(VolumeError) {
        guard path.hasPrefix("/") else {
            throw .badOptions("the option 'token-file' is a path from the root, not '\(path)'")
        }
        guard access(path, R_OK) == 0 else {
            throw .badOptions("the token file \(path) cannot be read where the plugin runs")
        }
    }
}
