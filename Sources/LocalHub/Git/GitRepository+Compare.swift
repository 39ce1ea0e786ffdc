import Foundation

/// A file that differs between two commits.
struct ChangedFile: Equatable, Sendable {
    /// Modes as git prints them, `000000` where there is no file.
    let oldMode: String
    let newMode: String
    /// Blobs' oids, zeros where there is no file.
    let oldOID: String
    let newOID: String
    /// `A`, `D`, `M`, `T`, or `R` and `C` with a score.
    let status: String
    let path: String
    /// Where it was renamed or copied to.
    var newPath: String?
    var isBinary = false
    /// Bytes of the new blob, zero if there is none.
    var size = 0
}

extension GitRepository {
    /// The files that differ between two commits, renames detected, in git's order.
    ///
    /// - Returns: nil if the list is longer than `byteCountMax`.
    func changes(
        _ old: String, _ new: String, byteCountMax: Int
    ) throws(GitError) -> [ChangedFile]? {
        let output = try Git.run(
            path, Self.diffTree + ["--raw", "--numstat", "--abbrev=40", "-z", old, new],
            byteCountMax: byteCountMax)
        guard let output else { return nil }
        var files = try Self.parse(changes: output)
        let oids = files.map(\.newOID)
        let infos = try engine.readers.with(path) { reader throws(GitError) in
            try reader.info(oids)
        }
        for index in files.indices { files[index].size = infos[index]?.size ?? 0 }
        return files
    }

    /// Reads `--raw --numstat -z`: first all raw records, then as many of numbers, in the same order.
    /// Source: git-diff-tree(1), "Raw output format" and "Other diff formats".
    static func parse(changes output: [UInt8]) throws(GitError) -> [ChangedFile] {
        var tokens = output.split(separator: 0, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }[...]
        var files: [ChangedFile] = []
        while let head = tokens.first, head.hasPrefix(":") {
            tokens.removeFirst()
            let fields = head.dropFirst().split(separator: " ").map(String.init)
            guard fields.count == 5, let path = tokens.popFirst() else {
                throw .unexpected("a raw diff that does not parse")
            }
            let isMove = fields[4].hasPrefix("R") || fields[4].hasPrefix("C")
            files.append(
                ChangedFile(
                    oldMode: fields[0], newMode: fields[1], oldOID: fields[2], newOID: fields[3],
                    status: fields[4], path: path, newPath: isMove ? tokens.popFirst() : nil))
        }
        for index in files.indices {
            guard let numbers = tokens.popFirst() else {
                throw .unexpected("a diff with too few numbers")
            }
            files[index].isBinary = numbers.hasPrefix("-")
            // After a tab at the end of the numbers both names of a move follow by themselves.
            if files[index].newPath != nil { tokens = tokens.dropFirst(2) }
        }
        return files
    }
}
