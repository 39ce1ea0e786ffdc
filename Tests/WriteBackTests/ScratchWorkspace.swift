import Glibc
import HubClient
import Logging
import Platform
import SystemPackage
import TestSupport

@testable import WriteBack

/// A workspace in a folder of the test's own, over a base that is an empty directory.
final class ScratchWorkspace {
    private let scratch = ScratchFolder()
    private(set) var workspace: Workspace
    private static let commit = CommitOID(hex: String(repeating: "a", count: 40))!

    init() throws {
        workspace = try Self.open(in: scratch.path)
    }

    deinit { scratch.remove() }

    var overlay: Overlay { workspace.overlay }

    /// Names of the files in the staging folder.
    var staged: Set<String> {
        get throws { Set(try Folder.names(in: workspace.folder.appending("staging"))) }
    }

    /// Makes a file with one handle open, and bytes in it.
    func makeFile(_ name: String, _ text: String) throws -> WorkingFile {
        let view = try overlay.make(
            .file, EntryName(name), in: .root, metadata: LocalMetadata())
        let file = try overlay.open(view.number, forWriting: true)
        try file.write(text)
        return file
    }

    func close(_ file: WorkingFile) { overlay.close(file, wasForWriting: true) }

    /// What the file of a name holds.
    func text(_ name: String) throws -> String? {
        guard let view = try overlay.lookUp(EntryName(name), in: .root), let file = view.file
        else { return nil }
        var bytes: [UInt8] = []
        for segment in file.segments(offset: 0, count: Int(file.size)) {
            var piece = [UInt8](repeating: 0, count: segment.bytes.count)
            if case .staged(let store) = segment.source {
                let read = try piece.withUnsafeMutableBytes {
                    try store.read(into: $0, at: segment.bytes.lowerBound)
                }
                guard read == piece.count else { return nil }
            }
            bytes += piece
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The journal's files as they are now: what would be on disk if all of it were synced.
    func copyOfJournal() throws -> [String: [UInt8]] {
        try Self.files(in: workspace.folder).filter { name, _ in
            name == "journal.db" || name == "journal.db-wal"
        }
    }

    /// Goes on as after a power cut that left this of the journal, and the staging folder as it is.
    func recover(from journal: [String: [UInt8]]) throws {
        let staged = try Self.files(in: workspace.folder.appending("staging"))
        workspace.close()
        let folder = workspace.folder
        scratch.remove()
        try Folder.create(folder.appending("staging"))
        for (name, bytes) in journal { try Self.write(bytes, to: folder.appending(name)) }
        for (name, bytes) in staged {
            try Self.write(bytes, to: folder.appending("staging").appending(name))
        }
        let stored = try Journal(at: folder.appending("journal.db"))
        try stored.writeDurably { try $0.set(.bootID, String(repeating: "0", count: 32)) }
        stored.close()
        workspace = try Self.open(in: scratch.path)
    }

    private static func files(in folder: FilePath) throws -> [String: [UInt8]] {
        var files: [String: [UInt8]] = [:]
        for name in try Folder.names(in: folder) where name != "staging" {
            let file = try FileDescriptor.open(folder.appending(name), .readOnly)
            defer { try? file.close() }
            var bytes = [UInt8](repeating: 0, count: Int(try file.status().st_size))
            _ = try bytes.withUnsafeMutableBytes { try file.readWhole(into: $0, at: 0) }
            files[name] = bytes
        }
        return files
    }

    private static func write(_ bytes: [UInt8], to path: FilePath) throws {
        let file = try FileDescriptor.open(
            path, .writeOnly, options: [.create, .truncate],
            permissions: FilePermissions(rawValue: 0o600))
        defer { try? file.close() }
        try bytes.withUnsafeBytes { try file.writeWhole($0, at: 0) }
    }

    private static func open(in folder: FilePath) throws -> Workspace {
        let key = WorkspaceKey(
            endpoint: "http://hub", repo: RepoID(kind: .model, name: "lab/repo"), branch: "main",
            path: "")
        let workspace = try Workspace(
            key, in: folder, head: commit, numbering: Numbering(), owner: "a test", floorBytes: 0,
            logger: Logger(label: "test"))
        workspace.overlay.setListing(
            EmptyListing(), of: .root, BaseDirectory(commit: commit, path: ""))
        return workspace
    }

    private struct EmptyListing: BaseListing {
        var count: Int { 0 }
        func index(of name: EntryName) -> Int? { nil }
        func name(at index: Int) -> EntryName { preconditionFailure("the listing is empty") }
        func kind(at index: Int) -> TreeEntry.Kind { preconditionFailure("the listing is empty") }
        func modifiedNanoseconds(at index: Int) -> Int64? { nil }
    }

    private struct Numbering: InodeNumbering {
        var root: UInt64 { 1 }
        func child(of parent: UInt64, name: EntryName) -> UInt64 { parent + 1 }
    }
}

extension WorkingFile {
    func write(_ text: String, at offset: UInt64 = 0) throws {
        let bytes = Array(text.utf8)
        try bytes.withUnsafeBytes { try write($0, at: offset) }
    }
}
