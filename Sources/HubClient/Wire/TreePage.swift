/// Reads one page of a tree listing.
///
/// Source: `GET /api/{kind}/{id}/tree/{rev}[/{path}]`, an array of entries with paths from the root.
enum TreePage {
    /// Why a page cannot be used, in words for `HubError.malformed`.
    struct Invalid: Error {
        let reason: String
    }

    /// - Parameters:
    ///   - directory: The directory that was listed: entries elsewhere are an error.
    /// - Returns: the entries in the Hub's order. Kinds other than file and directory are left out.
    static func entries(
        _ bytes: [UInt8], under directory: String, recursive: Bool
    ) throws(Invalid) -> [TreeEntry] {
        guard let rows = JSON(bytes)?.array else {
            throw Invalid(reason: "the listing is not a JSON array")
        }
        let prefix = (directory.isEmpty ? "" : directory + "/").utf8
        var entries: [TreeEntry] = []
        entries.reserveCapacity(rows.count)
        for row in rows {
            guard let path = row["path"]?.string, isPath(path), path.utf8.starts(with: prefix),
                recursive || !path.utf8.dropFirst(prefix.count).contains(UInt8(ascii: "/"))
            else { throw Invalid(reason: "an entry has no path in the listed directory") }
            if let entry = try entry(row, path: path) { entries.append(entry) }
        }
        return entries
    }

    private static func entry(_ row: JSON, path: String) throws(Invalid) -> TreeEntry? {
        let oid = row["oid"]?.string
        switch row["type"]?.string {
        case "directory":
            guard let tree = oid.flatMap({ TreeOID(hex: $0) }) else {
                throw Invalid(reason: "a directory has no tree oid")
            }
            return TreeEntry(path: path, kind: .directory(tree))
        case "file":
            if let lfs = row["lfs"], lfs != .null {
                // The outer size can be that of the pointer; this one is the file's.
                guard let sha256 = lfs["oid"]?.string.flatMap({ LFSOID(hex: $0) }),
                    let size = lfs["size"]?.unsigned
                else { throw Invalid(reason: "an LFS file has no sha256 or no size") }
                return TreeEntry(path: path, kind: .file(.lfs(sha256), size: size))
            }
            guard let blob = oid.flatMap({ BlobOID(hex: $0) }), let size = row["size"]?.unsigned
            else { throw Invalid(reason: "a file has no blob oid or no size") }
            return TreeEntry(path: path, kind: .file(.git(blob), size: size))
        default: return nil
        }
    }

    /// A path git can hold: names between single slashes, none of them `.` or `..`. Told by bytes: to
    /// a `Character`, a slash before a combining accent is none.
    static func isPath(_ path: String) -> Bool {
        !path.utf8.contains(0)
            && path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
                .allSatisfy { name in
                    !name.isEmpty && !name.elementsEqual(".".utf8) && !name.elementsEqual("..".utf8)
                }
    }
}
