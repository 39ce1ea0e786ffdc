/// What `git cat-file` says about an object.
struct ObjectInfo: Sendable {
    let oid: String
    let type: String
    let size: Int
}

/// One long-lived `git cat-file --batch-command`: objects without a process for each.
///
/// Refs are looked up anew for each request and packs re-scanned on a miss, so that what other
/// processes push is seen. Not shared: whoever leased it from the pool is alone with it.
final class ObjectReader {
    private let child: ChildProcess
    private var buffer = [UInt8](repeating: 0, count: 65_536)
    private var unread = 0..<0

    /// Requests written at once. Their answers (under 100 bytes each) fit the pipe, so neither
    /// side can block on the other.
    private static let batchMax = 400

    init(repository: String) throws(GitError) {
        child = try ChildProcess(
            arguments: Git.command(repository) + ["cat-file", "--batch-command"])
    }

    /// Looks objects up by name (`HEAD^{tree}`, an oid, `refs/heads/x^{commit}`).
    ///
    /// - Parameter names: without line breaks; the caller has checked user input.
    /// - Returns: for each name what it is, nil if there is none or it is ambiguous.
    func info(_ names: [String]) throws(GitError) -> [ObjectInfo?] {
        var found: [ObjectInfo?] = []
        found.reserveCapacity(names.count)
        var start = 0
        while start < names.count {
            let end = min(start + Self.batchMax, names.count)
            try child.write(names[start..<end].map { "info \($0)\n" }.joined())
            for _ in start..<end {
                found.append(try readHeader())
            }
            start = end
        }
        return found
    }

    /// The whole content of an object.
    func contents(_ name: String) throws(GitError) -> [UInt8]? {
        try contents([name])[0]
    }

    /// The whole contents of several objects, asked for in one go; meant for small ones.
    func contents(_ names: [String]) throws(GitError) -> [[UInt8]?] {
        var found: [[UInt8]?] = []
        var start = 0
        while start < names.count {
            let end = min(start + Self.batchMax, names.count)
            try child.write(names[start..<end].map { "contents \($0)\n" }.joined())
            for _ in start..<end {
                found.append(try readContents())
            }
            start = end
        }
        return found
    }

    // MARK: Piecewise

    /// Begins to read an object; `info.size` bytes and then `close()` must follow.
    func open(_ name: String) throws(GitError) -> ObjectInfo? {
        try child.write("contents \(name)\n")
        return try readHeader()
    }

    /// Hands on the next `count` bytes of the open object, in pieces.
    func read(_ count: Int, _ visit: (ArraySlice<UInt8>) -> Void) throws(GitError) {
        var rest = count
        while rest > 0 {
            if unread.isEmpty { try fill() }
            let piece = unread.prefix(rest)
            visit(buffer[piece])
            unread = piece.upperBound..<unread.upperBound
            rest -= piece.count
        }
    }

    /// Ends the open object: git puts a line break after it.
    func close() throws(GitError) {
        try read(1) { _ in }
    }

    // MARK: Details

    private func readContents() throws(GitError) -> [UInt8]? {
        guard let info = try readHeader() else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(info.size)
        try read(info.size) { bytes += $0 }
        try close()
        return bytes
    }

    private func readHeader() throws(GitError) -> ObjectInfo? {
        let line = try readLine()
        let words = line.split(separator: " ")
        if words.count == 3, let size = Int(words[2]), isHex(words[0], count: 40) {
            return ObjectInfo(oid: String(words[0]), type: String(words[1]), size: size)
        }
        guard line.hasSuffix(" missing") || line.hasSuffix(" ambiguous") else {
            throw .unexpected(line)
        }
        return nil
    }

    private func readLine() throws(GitError) -> String {
        var line: [UInt8] = []
        while true {
            if unread.isEmpty { try fill() }
            if let end = buffer[unread].firstIndex(of: 0x0a) {
                line += buffer[unread.lowerBound..<end]
                unread = (end + 1)..<unread.upperBound
                return String(decoding: line, as: UTF8.self)
            }
            line += buffer[unread]
            unread = 0..<0
        }
    }

    private func fill() throws(GitError) {
        let result = buffer.withUnsafeMutableBytes { raw in
            Result { () throws(GitError) in try child.read(into: raw) }
        }
        let count = try result.get()
        guard count > 0 else { throw .unexpected("git cat-file ended") }
        unread = 0..<count
    }
}
