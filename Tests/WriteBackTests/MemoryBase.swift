import HubClient
import Logging
import SystemPackage
import TestSupport

@testable import WriteBack

/// Commits in memory: what each path has, as a short text.
final class MemoryBase: BaseSource {
    typealias Files = [String: String]

    private let commits: [CommitOID: Files]

    init(_ commits: [CommitOID: Files]) { self.commits = commits }

    static func commit(_ digit: Character) -> CommitOID {
        CommitOID(hex: String(repeating: digit, count: 40))!
    }

    /// The identity of a text: its bytes, padded.
    static func content(_ text: String) -> ContentID {
        let digits = text.utf8.map { String($0, radix: 16) }.joined()
        precondition(digits.utf8.count <= 40, "a short text")
        return .git(BlobOID(hex: digits + String(repeating: "0", count: 40 - digits.utf8.count))!)
    }

    func listing(
        of path: String, at commit: CommitOID
    ) throws(PublishError) -> any BaseListing {
        guard let files = commits[commit] else { throw .base("no commit \(commit.hex)") }
        let prefix = path.isEmpty ? "" : path + "/"
        var kinds: [String: TreeEntry.Kind] = [:]
        var below: [String: String] = [:]
        for (file, text) in files where file.hasPrefix(prefix) {
            let rest = file.dropFirst(prefix.count)
            let name = String(rest.prefix { $0 != "/" })
            if rest.contains("/") {
                below[name, default: ""] += "\(file)=\(text);"
            } else {
                kinds[name] = .file(Self.content(text), size: UInt64(text.utf8.count))
            }
        }
        if kinds.isEmpty, below.isEmpty, !path.isEmpty {
            throw .base("\(commit.hex) has no folder \(path)")
        }
        for name in below.keys {
            // Trees are named by what is in them.
            let text = below[name]!.split(separator: ";").sorted().joined()
            var hash: UInt64 = 0xcbf2_9ce4_8422_2325
            for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
            let digits = String(hash, radix: 16)
            let zeros = String(repeating: "0", count: 40 - digits.count)
            kinds[name] = .directory(TreeOID(hex: zeros + digits)!)
        }
        return Listing(
            entries: kinds.sorted { $0.key < $1.key }.map { (EntryName($0.key), $0.value) })
    }

    func prepare(_ commit: CommitOID) throws(PublishError) {}

    func read(
        _ file: BaseFile, at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(PublishError) {
        throw .base("nobody reads")
    }

    private struct Listing: BaseListing {
        let entries: [(name: EntryName, kind: TreeEntry.Kind)]

        var count: Int { entries.count }
        func index(of name: EntryName) -> Int? { entries.firstIndex { $0.name == name } }
        func name(at index: Int) -> EntryName { entries[index].name }
        func kind(at index: Int) -> TreeEntry.Kind { entries[index].kind }
        func modifiedNanoseconds(at index: Int) -> Int64? { nil }
    }
}

/// A workspace over commits in memory, and what programs do in it, by path.
final class EditedTree {
    let source: MemoryBase
    private let scratch = ScratchFolder()
    private(set) var workspace: Workspace

    init(on head: CommitOID, of source: MemoryBase) throws {
        self.source = source
        workspace = try Self.open(scratch.path, head)
    }

    deinit {
        workspace.close()
        scratch.remove()
    }

    var overlay: Overlay { workspace.overlay }

    /// Goes on as the next daemon does: a workspace without edits stands on the head.
    func reopen() throws {
        let head = overlay.baseCommit
        workspace.close()
        workspace = try Self.open(scratch.path, head)
    }

    private static func open(_ folder: FilePath, _ head: CommitOID) throws -> Workspace {
        let key = WorkspaceKey(
            endpoint: "http://hub", repo: RepoID(kind: .model, name: "lab/repo"), branch: "main",
            path: "")
        return try Workspace(
            key, in: folder, head: head, numbering: Numbering(), owner: "a test", floorBytes: 0,
            logger: Logger(label: "test"))
    }

    private struct Numbering: InodeNumbering {
        var root: UInt64 { 1 }
        func child(of parent: UInt64, name: EntryName) -> UInt64 {
            name.bytes.reduce(parent &* 31) { ($0 ^ UInt64($1)) &* 1_099_511_628_211 }
                & ~Overlay.localInodeBit
        }
    }

    func with<Value>(_ body: () throws(WriteBackError) -> Value) throws -> Value {
        while true {
            do throws(WriteBackError) {
                return try body()
            } catch {
                guard case .listingNeeded(let number, let lower) = error,
                    let lower = lower.directory(on: overlay.baseCommit)
                else { throw error }
                overlay.setListing(
                    try source.listing(of: lower.path, at: lower.commit), of: number, lower)
            }
        }
    }

    private func place(_ path: String) throws -> Overlay.Place {
        var parent = NodeNumber.root
        let names = path.split(separator: "/")
        for name in names.dropLast() {
            parent = try with { () throws(WriteBackError) in
                try overlay.lookUp(EntryName(String(name)), in: parent)
            }!.number
        }
        return Overlay.Place(parent: parent, name: EntryName(String(names.last!)))
    }

    func write(_ path: String, _ text: String) throws {
        let place = try place(path)
        let found = try with { () throws(WriteBackError) in
            try overlay.lookUp(place.name, in: place.parent)
        }
        let view =
            try found
            ?? with { () throws(WriteBackError) in
                try overlay.make(.file, place.name, in: place.parent, metadata: LocalMetadata())
            }
        let file = try overlay.open(view.number, forWriting: true)
        try overlay.willEdit(view.number)
        try file.truncate(to: 0)
        try file.write(text)
        overlay.close(file, wasForWriting: true)
    }

    func makeDirectory(_ path: String) throws {
        let place = try place(path)
        _ = try with { () throws(WriteBackError) in
            try overlay.make(.directory, place.name, in: place.parent, metadata: LocalMetadata())
        }
    }

    func remove(_ path: String) throws {
        let place = try place(path)
        try with { () throws(WriteBackError) in try overlay.unlink(place.name, in: place.parent) }
    }

    func removeDirectory(_ path: String) throws {
        let place = try place(path)
        try with { () throws(WriteBackError) in
            try overlay.removeDirectory(place.name, in: place.parent)
        }
    }

    func rename(_ old: String, _ new: String) throws {
        let (source, target) = (try place(old), try place(new))
        try with { () throws(WriteBackError) in
            try overlay.rename(from: source, to: target, .replace)
        }
    }

    /// What each file shows.
    func shown() throws -> MemoryBase.Files {
        var files: MemoryBase.Files = [:]
        var left: [(number: NodeNumber, path: String)] = [(.root, "")]
        while let (number, path) = left.popLast() {
            let snapshot = try with { () throws(WriteBackError) in
                try overlay.snapshot(of: number)
            }
            for entry in (0..<snapshot.count).compactMap({ snapshot.entry(at: $0) }) {
                let below = path.isEmpty ? "\(entry.name)" : "\(path)/\(entry.name)"
                let view = try with { () throws(WriteBackError) in
                    try overlay.lookUp(entry.name, in: number)
                }!
                switch view.kind {
                case .directory: left.append((view.number, below))
                case .file(let file): files[below] = try Self.text(of: file)
                case .link: break
                }
            }
        }
        return files
    }

    private static func text(of file: WorkingFile) throws -> String {
        if let base = file.cleanBase {
            let bytes = stride(from: 0, to: 40, by: 2).compactMap { index -> UInt8? in
                let digits = base.content.hex.dropFirst(index).prefix(2)
                let byte = UInt8(digits, radix: 16)!
                return byte == 0 ? nil : byte
            }
            return String(decoding: bytes, as: UTF8.self)
        }
        return try file.segments(offset: 0, count: Int(file.size)).map { segment in
            guard case .staged(let store) = segment.source else { return "?" }
            return String(decoding: try store.bytes(segment.bytes), as: UTF8.self)
        }.joined()
    }
}
