import Foundation

/// Takes blobs out of a repository's whole history: every ref moves to commits that never had them.
///
/// `git fast-export` writes the history without contents, the files are left out of it on the way,
/// and `git fast-import` writes it anew. Refs move together at the end, or none does.
///
/// Runs under the repository's lock. Blocks.
struct HistoryRewrite {
    let repository: GitRepository
    /// Where the scratch folder goes.
    let incoming: String

    /// - Returns: what the refs named before.
    func remove(_ blobs: Set<String>) throws -> [String] {
        let before = try refs(repository.path)
        let scratch = try ScratchRepository(incoming: incoming, objects: repository.path)
        let export = try ChildProcess(
            arguments: Git.command(repository.path) + [
                "fast-export", "--all", "--no-data", "--use-done-feature", "--reencode=no",
                "--signed-tags=strip", "--tag-of-filtered-object=rewrite",
            ])
        export.closeInput()
        let importer = try ChildProcess(
            arguments: Git.command(scratch.path) + ["fast-import", "--quiet", "--force"],
            environment: scratch.environment)
        var filter = HistoryFilter(removed: blobs)
        var piece = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            let count = try piece.withUnsafeMutableBytes { try export.read(into: $0) }
            if count == 0 { break }
            filter.take(piece[..<count])
            try importer.write(filter.passed)
            filter.passed.removeAll(keepingCapacity: true)
        }
        for (child, command) in [(export, "fast-export"), (importer, "fast-import")] {
            let status = child.wait()
            guard status == 0 else { throw GitError.exited(command: command, status: status) }
        }
        try move(before, to: refs(scratch.path, scratch.environment))
        return Array(before.values)
    }

    private func refs(
        _ path: String, _ environment: [String] = []
    ) throws(GitError) -> [String: String] {
        let output = try Git.run(
            path, ["for-each-ref", "--format=%(refname) %(objectname)"], environment: environment)
        var refs: [String: String] = [:]
        for line in String(decoding: output, as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2 { refs[String(words[0])] = String(words[1]) }
        }
        return refs
    }

    /// One transaction. Source: git-update-ref(1), `--stdin`.
    private func move(
        _ before: [String: String], to after: [String: String]
    ) throws(GitError) {
        let child = try ChildProcess(
            arguments: Git.command(repository.path) + ["update-ref", "--stdin"])
        for (ref, old) in before {
            guard let new = after[ref] else { throw .unexpected("fast-import without \(ref)") }
            try child.write("update \(ref) \(new) \(old)\n")
        }
        child.closeInput()
        _ = try child.readAll()
        let status = child.wait()
        guard status == 0 else { throw .exited(command: "update-ref", status: status) }
    }
}

/// Reads a fast-export stream and passes it on, with removed blobs' files deleted instead of set.
/// Source: git-fast-import(1), "Input format".
struct HistoryFilter {
    /// Oids of the blobs to leave out.
    let removed: Set<String>
    /// What is to be written on; the caller empties it.
    var passed: [UInt8] = []
    private var line: [UInt8] = []
    /// Bytes of a `data` command that are still to come.
    private var dataLeft = 0

    init(removed: Set<String>) {
        self.removed = removed
    }

    mutating func take(_ bytes: ArraySlice<UInt8>) {
        var rest = bytes
        while !rest.isEmpty {
            if dataLeft > 0 {
                let data = rest.prefix(dataLeft)
                passed += data
                dataLeft -= data.count
                rest = rest.dropFirst(data.count)
            } else if let end = rest.firstIndex(of: 0x0a) {
                line += rest[...end]
                rest = rest[(end + 1)...]
                finishLine()
            } else {
                line += rest
                return
            }
        }
    }

    private mutating func finishLine() {
        defer { line.removeAll(keepingCapacity: true) }
        if line.starts(with: "data ".utf8) {
            let digits = String(decoding: line.dropFirst(5).dropLast(), as: UTF8.self)
            dataLeft = Int(digits) ?? 0
        } else if line.starts(with: "M ".utf8) {
            // M SP mode SP oid SP path LF
            let fields = line.split(separator: 0x20, maxSplits: 3)
            if fields.count == 4, removed.contains(String(decoding: fields[2], as: UTF8.self)) {
                passed += "D ".utf8
                passed += fields[3]
                return
            }
        }
        passed += line
    }
}
