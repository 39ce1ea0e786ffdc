import ArgumentParser
import HubClient

/// Which volumes are mounted together: for `hubfs mount` and `hubfs run`.
struct VolumeOptions: ParsableArguments {
    @Option(
        name: [.customShort("v"), .customLong("volume")],
        help: ArgumentHelp(
            "Mount a repo at a directory, read only unless ':rw' stands at its end; may be given again.",
            discussion: "As 'hf jobs run' writes it: hf://[TYPE/]ID[@REV][/PATH]:/DIR[:ro|:rw].",
            valueName: "volume"))
    var volumes: [String] = []

    @Option(
        name: .customLong("volumes"),
        help: ArgumentHelp(
            "Mount the volumes of this JSON file, a list as the Hub keeps it for Spaces and Jobs.",
            discussion: """
                Objects with 'type' (model, dataset, space), 'source', 'mountPath' and, as needed, 'revision', \
                'readOnly' (true unless it says false) and 'path'.
                """,
            valueName: "file"))
    var file: String?

    /// Larger is no list of volumes.
    private static let fileBytesMax = 1 << 20

    /// Whether any of it was said.
    var isGiven: Bool { !volumes.isEmpty || file != nil }

    /// All volumes, in the order they are mounted in.
    ///
    /// - Throws: `Failure` with code `usage` for what is no volume and for two at one place, with
    ///   `localStorage` for a file that cannot be read.
    func specs(endpoint: String) throws(Failure) -> [VolumeSpec] {
        var specs = try listed()
        for text in volumes { specs.append(try VolumeSpec(parsing: text, endpoint: endpoint)) }
        guard !specs.isEmpty else { throw Failure(.usage, "\(file ?? "") has no volumes") }
        return try VolumeSpec.ordered(specs)
    }

    private func listed() throws(Failure) -> [VolumeSpec] {
        guard let file else { return [] }
        let bytes: [UInt8]
        do {
            bytes = try readFile(file, bytesMax: Self.fileBytesMax)
        } catch {
            throw Failure(.localStorage, "--volumes \(file): \(error)")
        }
        guard let json = JSON(bytes), let list = json.array ?? json["volumes"]?.array else {
            throw Failure(
                .usage, "--volumes \(file): this is no JSON list of volumes, nor an object with one"
            )
        }
        var specs: [VolumeSpec] = []
        for (index, json) in list.enumerated() {
            do throws(Failure) {
                specs.append(try VolumeSpec(json))
            } catch {
                throw Failure(
                    error.code, "--volumes \(file): volume \(index + 1): \(error.sentence)")
            }
        }
        return specs
    }
}

extension MountFlags {
    /// Refuses what cannot be said of several mounts at once, and what each volume says itself.
    ///
    /// - Throws: `Failure` with code `usage`.
    func check(for specs: [VolumeSpec]) throws(Failure) {
        try check(count: specs.count, writableCount: specs.count(where: \.isWritable))
    }

    /// The same as far as the command line tells, without reading a list of volumes.
    ///
    /// - Throws: `Failure` with code `usage`.
    func check(for options: VolumeOptions) throws(Failure) {
        if options.file != nil { return }
        let writableCount = options.volumes.count { $0.hasSuffix(":rw") }
        try check(count: options.volumes.count, writableCount: writableCount)
    }

    private func check(count: Int, writableCount: Int) throws(Failure) {
        if writable || readOnly {
            throw Failure(.usage, "each volume says itself what it is: end it in ':rw' or ':ro'")
        }
        if foreground {
            throw Failure(.usage, "-f is for one mount: volumes are served in the background")
        }
        let single: [(String, Bool)] = [
            ("--record", record != nil), ("--replay", replay != nil),
            ("--log-file", logFile != nil), ("--metrics", metrics != nil),
        ]
        if count > 1, let option = single.first(where: \.1)?.0 {
            throw Failure(.usage, "\(option) is for one volume, and there are \(count)")
        }
        if branch != nil, writableCount != 1 {
            throw Failure(
                .usage, "--branch is for one writable volume, and there are \(writableCount)")
        }
        if follow != nil, writableCount > 0 {
            throw Failure(.usage, "--follow goes with volumes that are read only")
        }
    }
}
