import HubClient
import Platform

// What the attributes of a CSI volume ask for. They have the names of Hugging Face's own driver where that has one,
// so that volumes written for it are understood; the others are options of `hubfs mount`.

extension VolumePlan {
    /// Options beside a volume's attributes, under names that no attribute may have.
    enum Extra {
        /// A persistent volume's mountOptions, with a comma between them.
        static let mountOptions = "mountOptions"
        /// The group that is to have access, in digits.
        static let group = "volumeMountGroup"
    }

    /// Attributes that become an option of `hubfs mount`.
    private static let optionNames = [
        "cacheSize": "cache-size", "commit": "commit", "flush": "flush", "gid": "gid",
        "hubEndpoint": "endpoint",
        "message": "message", "onConflict": "on-conflict", "pollIntervalSecs": "follow",
        "readTimeout": "read-timeout", "uid": "uid", "umask": "umask",
    ]
    private static let sourceNames = ["revision", "sourceId", "sourceType", "subpath"]
    private static let otherNames = ["mountFlags", "readOnly", "tokenKey"]
    /// Every attribute there is.
    static let attributeNames = (optionNames.keys + sourceNames + otherNames).sorted()

    /// Attributes of Hugging Face's driver that have no meaning here, and why.
    private static let foreignNames: [String: String] = {
        let tuning = "it tunes a program that is not used here: leave it out"
        let resources = "volumes have no containers of their own here: leave it out"
        var reasons = ["cacheDir": "the volumes of a node share the driver's cache: leave it out"]
        for name in [
            "fuseFdCount", "inodeSoftLimit", "lruSweepIntervalMs", "metadataTtlMs",
            "pollListingConcurrency",
        ] {
            reasons[name] = tuning
        }
        for name in ["cpuLimit", "cpuRequest", "memoryLimit", "memoryRequest", "mountMode"] {
            reasons[name] = resources
        }
        return reasons
    }()

    /// What may stand in `mountFlags` and among a persistent volume's mountOptions. Nothing that names a file of
    /// the node: pods choose these.
    static let flagNames = [
        "cache-size", "commit", "flush", "follow", "gid", "message", "no-replay", "no-xet",
        "on-conflict",
        "read-only", "read-timeout", "ro", "uid", "umask",
    ]
    private static let bareFlagNames: Set = ["no-replay", "no-xet", "read-only", "ro"]
    private static let editingOptions = ["commit", "flush", "message", "on-conflict"]

    /// - Parameters:
    ///   - options: A volume's attributes, and what `Extra` names.
    ///   - endpoint: The Hub of volumes that name none.
    ///   - tokenFile: Where the volume's token is, if it has one.
    /// - Throws: `VolumeError.badOptions`. Values that only `hubfs mount` understands are not looked at.
    init(
        _ name: VolumeName, attributes options: [String: String], endpoint: String,
        tokenFile: String
    ) throws(VolumeError) {
        let extras: Set = [Extra.mountOptions, Extra.group]
        for name in options.keys.sorted() where !extras.contains(name) { try Self.check(name) }
        let source = try Self.source(options, endpoint: options["hubEndpoint"] ?? endpoint)
        let isWritable = try Self.isWritable(options["readOnly"])

        var values: [String: String] = [:]
        for (attribute, option) in Self.optionNames {
            guard let value = options[attribute] else { continue }
            guard !value.isEmpty else {
                throw .badOptions("the attribute '\(attribute)' needs a value")
            }
            values[option] = value
        }
        var bareFlags: [String] = []
        for list in [options["mountFlags"], options[Extra.mountOptions]] {
            for flag in try Self.flags(list ?? "") {
                values[flag.name] = flag.value
                if flag.value == nil, !bareFlags.contains(flag.name) { bareFlags.append(flag.name) }
            }
        }
        try Self.check(values, bareFlags, isWritable: isWritable)
        if let group = options[Extra.group] {
            values["gid"] = group
            // A group that may read and not write is none that Kubernetes means.
            if values["umask"] == nil { values["umask"] = "002" }
        }
        values["cache-size"] = values["cache-size"].map(Self.byteSize)

        let flags = values.sorted { $0.key < $1.key }.map { "--\($0.key)=\($0.value)" }
        self.init(
            source: source, isWritable: isWritable,
            commitsAtEnd: isWritable && values["commit"] != "manual",
            flags: flags + (bareFlags.contains("no-replay") ? ["--no-replay"] : [])
                + ["--allow-other"]
                + (isWritable ? ["--writable", "--workspace=csi.\(name.text)"] : []),
            hubFlags: flags.filter {
                $0.hasPrefix("--endpoint=") || $0.hasPrefix("--read-timeout=")
            }
        )
        // Not an option: a token that comes later is found too, and nobody needs one for public repos.
        environment = ["HF_TOKEN_PATH": tokenFile]
    }

    /// - Throws: `VolumeError.badOptions` for a name that no attribute has.
    private static func check(_ name: String) throws(VolumeError) {
        if attributeNames.contains(name) { return }
        if let reason = foreignNames[name] {
            throw .badOptions("the attribute '\(name)' is not understood: \(reason)")
        }
        throw .badOptions(
            "unknown attribute '\(name)': \(Self.hint(name, attributeNames, "volumes have"))")
    }

    /// - Parameter values: Options by their names.
    private static func check(
        _ values: [String: String], _ bareFlags: [String], isWritable: Bool
    ) throws(VolumeError) {
        if isWritable {
            if bareFlags.contains("ro") || bareFlags.contains("read-only") {
                throw .badOptions(
                    "'readOnly: \"false\"' and the mount option 'ro' exclude each other")
            }
            if values["follow"] != nil {
                throw .badOptions(
                    "a volume follows its branch (pollIntervalSecs) only when read-only")
            }
        } else if let name = editingOptions.first(where: { values[$0] != nil }) {
            throw .badOptions("'\(name)' goes with 'readOnly: \"false\"'")
        }
    }

    private static func source(
        _ options: [String: String], endpoint: String
    ) throws(VolumeError) -> String {
        guard let type = options["sourceType"], !type.isEmpty else {
            throw .badOptions(
                "a volume needs the attribute sourceType: repo, model, dataset, space or bucket")
        }
        guard let id = options["sourceId"], !id.isEmpty else {
            throw .badOptions("a volume needs the attribute sourceId, such as namespace/name")
        }
        let prefix: String
        switch type {
        // What kind of repo then stands in the id, as in datasets/org/name.
        case "repo": prefix = ""
        case "model": prefix = ""
        case "dataset", "space": prefix = type + "s/"
        case "bucket": prefix = id.hasPrefix("hf://") || id.hasPrefix("buckets/") ? "" : "buckets/"
        default:
            throw .badOptions("sourceType is repo, model, dataset, space or bucket, not '\(type)'")
        }
        var uri: HubURI
        do throws(HubURI.Invalid) {
            uri = try HubURI(parsing: prefix + id, endpoint: endpoint)
        } catch {
            throw .badOptions("sourceId: \(error.description)")
        }
        if type != "repo", uri.repo.kind.rawValue != type {
            throw .badOptions("sourceId '\(id)' names a \(uri.repo.kind.rawValue), not a \(type)")
        }
        if let revision = options["revision"], !revision.isEmpty {
            guard uri.repo.kind != .bucket else {
                throw .badOptions("'revision' is for repos, a bucket has none")
            }
            guard uri.revision == nil else {
                throw .badOptions("sourceId '\(id)' names a revision already: leave out 'revision'")
            }
            uri = HubURI(repo: uri.repo, revision: Revision(revision), path: uri.path)
        }
        if let subpath = options["subpath"], !subpath.isEmpty {
            guard uri.path.isEmpty else {
                throw .badOptions("sourceId '\(id)' names a folder already: leave out 'subpath'")
            }
            uri = HubURI(
                repo: uri.repo, revision: uri.revision,
                path: try folder(subpath, named: "the attribute 'subpath'"))
        }
        return uri.description
    }

    /// A repo in Kubernetes is read unless somebody says otherwise.
    private static func isWritable(_ value: String?) throws(VolumeError) -> Bool {
        switch value {
        case nil, "true": false
        case "false": true
        case .some(let value):
            throw .badOptions("the attribute 'readOnly' is \"true\" or \"false\", not '\(value)'")
        }
    }

    /// A list such as `uid=1000,no-replay`.
    ///
    /// - Returns: the value is nil for a flag that has none.
    private static func flags(
        _ list: String
    ) throws(VolumeError) -> [(name: String, value: String?)] {
        try list.split(separator: ",").map { item throws(VolumeError) in
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let words = parts[0].split(whereSeparator: \.isWhitespace).joined(separator: " ")
            let name = words.hasPrefix("--") ? String(words.dropFirst(2)) : words
            guard flagNames.contains(name) else {
                throw .badOptions(
                    "unknown mount option '\(name)': \(hint(name, flagNames, "volumes have"))")
            }
            let value = parts.count == 2 ? String(parts[1]) : nil
            guard (value == nil) == bareFlagNames.contains(name), value != "" else {
                throw .badOptions(
                    "the mount option '\(name)' \(value == nil ? "needs a value" : "has no value")")
            }
            return (name, value)
        }
    }

    /// Kubernetes writes `2Gi` for what is `2GiB` on our command line.
    private static func byteSize(_ text: String) -> String {
        text.hasSuffix("i") ? text + "B" : text
    }

    private static func hint(_ word: String, _ names: [String], _ verb: String) -> String {
        if let near = suggestion(for: word, among: names) { return "did you mean '\(near)'?" }
        return "\(verb) \(names.joined(separator: ", "))"
    }
}
