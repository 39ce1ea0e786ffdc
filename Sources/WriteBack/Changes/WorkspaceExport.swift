import Glibc
import HubClient
import Platform
package import SystemPackage

/// Copies what was edited out of a workspace into a plain folder: new and edited files whole, links,
/// empty directories, and also what is ignored or can never be committed.
///
/// Files that were only moved are the Hub's own bytes and are left out; they are named.
package struct WorkspaceExport: Sendable {
    /// Paths that were written.
    package private(set) var written: [String] = []
    /// Files of the Hub's that only have another place.
    package private(set) var moved: [String] = []
    /// Paths that could not be copied, and why.
    package private(set) var failed: [(path: String, reason: String)] = []

    private let source: any BaseSource

    /// - Parameter folder: Made here: it must not exist, or be empty.
    init(
        _ tree: FrozenTree, to folder: FilePath, source: any BaseSource
    ) throws(WriteBackError) {
        self.source = source
        do throws(Errno) {
            try Folder.create(folder)
            guard try Folder.names(in: folder).isEmpty else { throw Errno.directoryNotEmpty }
        } catch {
            throw .disk(error, path: folder.string)
        }
        copy(tree.root, to: folder, at: "")
    }

    private mutating func copy(
        _ directory: FrozenDirectory, to folder: FilePath, at path: String
    ) {
        for child in directory.children {
            let shown = path.isEmpty ? child.name.description : path + "/" + child.name.description
            do throws(PublishError) {
                let target = try Self.place(child.name, in: folder)
                try copy(child, to: target, in: folder, at: shown)
            } catch {
                failed.append((shown, error.description))
            }
        }
    }

    private mutating func copy(
        _ child: FrozenChild, to target: FilePath, in folder: FilePath, at path: String
    ) throws(PublishError) {
        switch child.kind {
        case .directory(let below):
            if below.lower != .none, !below.isInPlace(at: path) { moved.append(path) }
            let isNewAndEmpty = below.lower == .none && below.children.isEmpty
            if isNewAndEmpty {
                try Self.onDisk(target) { () throws(Errno) in try Folder.create(target) }
                written.append(path)
            }
            copy(below, to: target, at: path)
        case .link(let text):
            try Self.onDisk(target) { () throws(Errno) in
                try Folder.create(folder)
                try Self.link(text, at: target)
            }
            written.append(path)
        case .file(let file):
            if !file.isEdited, let base = file.base {
                if base.path != path { moved.append(path) }
                return
            }
            try Self.onDisk(target) { () throws(Errno) in try Folder.create(folder) }
            try write(file, named: child.name, to: target, in: folder, at: path)
        }
    }

    /// Writes a file whole, or, where the Hub's part of it cannot be had, what was edited of it.
    private mutating func write(
        _ file: FrozenFile, named name: EntryName, to target: FilePath, in folder: FilePath,
        at path: String
    ) throws(PublishError) {
        do throws(PublishError) {
            try write(FileBytes(file), to: target, from: source)
            written.append(path)
        } catch .workspace(let error) {
            throw .workspace(error)
        } catch {
            try Self.onDisk(target) { () throws(Errno) in _ = try Folder.unlink(target) }
            let partial = EntryName(name.bytes + Self.partialSuffix.utf8)
            try write(FileBytes(file), to: try Self.place(partial, in: folder), from: NoBase())
            let reason = "only what was edited is in \(path)\(Self.partialSuffix), zeros elsewhere"
            failed.append((path, "\(reason): \(error)"))
        }
    }

    /// Ends the name of a file that is not whole.
    private static let partialSuffix = ".hubfs-partial"

    private func write(
        _ bytes: FileBytes, to target: FilePath, from source: any BaseSource
    ) throws(PublishError) {
        let file: FileDescriptor
        do {
            file = try FileDescriptor.open(
                target, .writeOnly,
                options: [.create, .exclusiveCreate, .closeOnExec, .noFollow],
                permissions: FilePermissions(rawValue: 0o600))
        } catch {
            throw .workspace(.disk((error as? Errno) ?? .ioError, path: target.string))
        }
        defer { try? file.close() }
        var offset: UInt64 = 0
        try bytes.forEachPiece(source) { piece throws(PublishError) in
            try Self.onDisk(target) { () throws(Errno) in
                try file.writeWhole(piece, at: offset)
            }
            offset += UInt64(piece.count)
        }
        try Self.onDisk(target) { () throws(Errno) in try file.sync() }
    }

    /// A journal is a file that somebody can have changed: no name in it leads out of the folder.
    private static func place(
        _ name: EntryName, in folder: FilePath
    ) throws(PublishError) -> FilePath {
        let isPlain =
            !name.bytes.isEmpty && name.bytes.count <= 255
            && !name.bytes.contains(UInt8(ascii: "/")) && !name.bytes.contains(0)
            && name.bytes != Array(".".utf8) && name.bytes != Array("..".utf8)
        guard isPlain else {
            throw .workspace(
                .damaged(path: folder.string, reason: "\(name) cannot be a file's name"))
        }
        let text = folder.string + "/"
        let bytes = Array(text.utf8) + name.bytes + [0]
        return bytes.withUnsafeBufferPointer { buffer in
            buffer.withMemoryRebound(to: CChar.self) { FilePath(platformString: $0.baseAddress!) }
        }
    }

    /// Source: man 2 symlink.
    private static func link(_ target: [UInt8], at path: FilePath) throws(Errno) {
        let text = target.map { CChar(bitPattern: $0) } + [0]
        try check {
            path.withPlatformString { path in Int(symlink(text, path)) }
        }
    }

    private static func onDisk(
        _ path: FilePath, _ body: () throws(Errno) -> Void
    ) throws(PublishError) {
        do throws(Errno) {
            try body()
        } catch {
            throw .workspace(error == .noSpace ? .full : .disk(error, path: path.string))
        }
    }
}

/// Zeros in the place of what the Hub had.
private struct NoBase: BaseSource {
    func listing(
        of path: String, at commit: CommitOID
    ) throws(PublishError) -> any BaseListing { throw .baseLost(commit) }

    func prepare(_ commit: CommitOID) {}

    func read(_ file: BaseFile, at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) {
        buffer.initializeMemory(as: UInt8.self, repeating: 0)
    }
}

extension Committer {
    /// Copies what was edited into a folder of the user's. The workspace keeps everything.
    package func export(to folder: FilePath) throws(WriteBackError) -> WorkspaceExport {
        try WorkspaceExport(workspace.overlay.edits(), to: folder, source: source)
    }
}
