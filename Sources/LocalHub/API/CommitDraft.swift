import Foundation

/// A commit while its body comes in.
///
/// Contents go to git as they arrive; what remains in memory is a list of paths. Nothing of the
/// repo changes before `publish`.
struct CommitDraft {
    /// What a path will be.
    enum Content {
        case source(CommitWriter.Source)
        case lfs(oid: String, size: Int?)
        /// What the old path has, which goes.
        case moved(from: String, isLFS: Bool)
    }

    private(set) var header: CommitOperation.Header?
    private(set) var puts: [ExactText: Content] = [:]
    private(set) var deletions: Set<ExactText> = []
    /// Where files were that are put elsewhere under an oid of their own.
    private(set) var leftBehind: Set<ExactText> = []
    /// The commit's own `.gitattributes`, which the server may have to extend.
    private(set) var attributes: String?
    let writer: CommitWriter
    private var line: [UInt8] = []
    private var inlineByteCount = 0
    private var lfsCount = 0

    /// The Hub's limits for one commit.
    static let inlineByteCountMax = 1_000_000_000
    static let lfsCountMax = 25_000

    /// A line with the largest inline content in base64, and room for its path.
    private static let lineMax = UploadMode.regularSizeMax / 3 * 4 + 65_536
    /// The Hub's limit on files in a repo; no commit needs more.
    private static let operationsMax = 1_000_000

    init(writer: CommitWriter) {
        self.writer = writer
    }

    // MARK: Reading the body

    /// Takes the next bytes of an ndjson body.
    mutating func take(_ bytes: some Collection<UInt8>) throws {
        var rest = bytes[...]
        while let end = rest.firstIndex(of: 0x0a) {
            line += rest[..<end]
            rest = rest[rest.index(after: end)...]
            try finishLine()
        }
        line += rest
        guard line.count <= Self.lineMax else {
            throw Refusal.badRequest(
                "Your push was rejected because it contains files larger than 10 MiB.")
        }
    }

    /// Takes the last line, which may lack its line break.
    mutating func finishLine() throws {
        defer { line.removeAll(keepingCapacity: true) }
        guard line.contains(where: { $0 != 0x20 && $0 != 0x0d }) else { return }
        try add(CommitOperation.parse(line: line))
    }

    mutating func add(_ operation: CommitOperation) throws {
        guard puts.count + deletions.count < Self.operationsMax else {
            throw Refusal.badRequest("The commit is over the limit of 1000000 files.")
        }
        if case .header(let header) = operation {
            guard self.header == nil else { throw Refusal.unprocessable("Two headers") }
            guard header.summary.contains(where: { !$0.isWhitespace }) else {
                throw Refusal.unprocessable("The summary is empty")
            }
            self.header = header
            return
        }
        guard header != nil else { throw Refusal.unprocessable("The header must come first") }
        switch operation {
        case .header: break
        case .file(let file): try add(file)
        case .lfsFile(let file): try add(file)
        case .deletion(let deletion):
            let path = RepoTarget.trimmed(deletion.path)
            try Self.check(path)
            guard deletions.insert(ExactText(path)).inserted else {
                throw Refusal.unprocessable("The path \(path) occurs twice in the commit")
            }
        }
    }

    private mutating func add(_ file: CommitOperation.File) throws {
        if let oldPath = file.oldPath, file.content == nil {
            try Self.check(oldPath)
            return try put(file.path, .moved(from: oldPath, isLFS: false))
        }
        let bytes = try Self.content(of: file)
        guard bytes.count <= UploadMode.regularSizeMax else {
            throw Refusal.badRequest(
                "Your push was rejected because it contains files larger than 10 MiB. "
                    + "Offending file: - \(file.path)")
        }
        if file.path == "README.md" {
            let verdict = CardMetadata(String(decoding: bytes, as: UTF8.self))
            guard verdict.errors.isEmpty else {
                throw Refusal.badRequest(
                    "Invalid metadata in README.md: " + verdict.errors.joined(separator: "; "))
            }
        }
        inlineByteCount += bytes.count
        guard inlineByteCount <= Self.inlineByteCountMax else {
            throw Refusal.tooLarge(
                "The files in the commit are larger than \(Self.inlineByteCountMax) bytes.")
        }
        try put(file.path, .source(try writer.blob(bytes)))
        if file.path == ".gitattributes" { attributes = String(decoding: bytes, as: UTF8.self) }
    }

    private mutating func add(_ file: CommitOperation.LFSFile) throws {
        guard (file.algo ?? "sha256") == "sha256" else {
            throw Refusal.unprocessable("Unknown algo of \(file.path)")
        }
        lfsCount += 1
        guard lfsCount <= Self.lfsCountMax else {
            throw Refusal.badRequest("At most \(Self.lfsCountMax) LFS files in one commit.")
        }
        guard file.oldPath == nil || file.size != nil else {
            throw Refusal.unprocessable("No size of \(file.path), which is renamed")
        }
        if let oldPath = file.oldPath, file.oid == nil {
            try Self.check(oldPath)
            return try put(file.path, .moved(from: oldPath, isLFS: true))
        }
        guard let oid = file.oid, isHex(oid, count: 64) else {
            throw Refusal.unprocessable("Invalid oid of \(file.path)")
        }
        try put(file.path, .lfs(oid: oid, size: file.size))
        if let oldPath = file.oldPath {
            try Self.check(oldPath)
            leftBehind.insert(ExactText(oldPath))
        }
    }

    private mutating func put(_ path: String, _ content: Content) throws {
        try Self.check(path)
        guard puts.updateValue(content, forKey: ExactText(path)) == nil else {
            throw Refusal.unprocessable("The path \(path) occurs twice in the commit")
        }
    }

    /// Gives a path of the commit another content.
    mutating func replace(_ path: ExactText, with content: Content) {
        puts[path] = content
    }

    private static func check(_ path: String) throws {
        if let reason = FilePath.refusal(path) {
            throw Refusal.unprocessable("Invalid path \(path): \(reason)")
        }
    }

    private static func content(of file: CommitOperation.File) throws -> [UInt8] {
        guard let content = file.content else {
            throw Refusal.unprocessable("No content of \(file.path)")
        }
        switch file.encoding ?? "utf-8" {
        case "utf-8": return Array(content.utf8)
        case "base64":
            guard let data = Data(base64Encoded: content) else {
                throw Refusal.unprocessable("Invalid base64 of \(file.path)")
            }
            return Array(data)
        case let encoding:
            throw Refusal.unprocessable("Unknown encoding \(encoding)")
        }
    }
}
