import Foundation

/// An LFS pointer somewhere in the history.
struct FoundPointer: Sendable {
    /// The blob's oid.
    let blob: String
    let path: String
    let pointer: LFSPointer
}

extension GitRepository {
    /// All LFS pointers any ref leads to; one that has several paths is found at one of them.
    func pointers() throws(GitError) -> [FoundPointer] {
        let limit = LFSPointer.sizeMax
        let output = try Git.run(
            path,
            [
                "rev-list", "--objects", "--all",
                "--filter=combine:object:type=blob+blob:limit=\(limit)",
            ])
        // Commits come without a path, blobs as `OID SP PATH`.
        let found = String(decoding: output, as: UTF8.self).byteLines.compactMap { line in
            let words = line.split(separator: " ", maxSplits: 1)
            return words.count == 2 ? (oid: String(words[0]), path: String(words[1])) : nil
        }
        let items = try describe(
            found.map {
                PathEntry(
                    path: $0.path, entry: TreeEntry(name: $0.path, kind: .file, oid: $0.oid))
            })
        return items.compactMap { item in
            item.pointer.map { FoundPointer(blob: item.entry.oid, path: item.path, pointer: $0) }
        }
    }

    /// Commits that led to `old` and that no ref leads to any more.
    func unreachable(from old: [String]) throws(GitError) -> [String] {
        let child = try ChildProcess(
            arguments: Git.command(path) + ["rev-list", "--stdin", "--not", "--all"])
        try child.write(old.map { $0 + "\n" }.joined())
        child.closeInput()
        let output = try child.readAll() ?? []
        let status = child.wait()
        guard status == 0 else { throw .exited(command: "rev-list", status: status) }
        return String(decoding: output, as: UTF8.self).split(separator: "\n").map(String.init)
    }
}
