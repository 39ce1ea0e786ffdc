import FuseBridge
import Glibc
import Platform
import SystemPackage

/// Keeps a disk in an ordinary folder between two runs of the machine.
enum DiskImage {
    /// A disk on which all of `folder` is certain.
    static func load(_ folder: FilePath) throws -> Disk {
        var disk = Disk()
        try load(folder, into: .root, of: &disk)
        disk.syncAll()
        return disk
    }

    private static func load(_ folder: FilePath, into id: NodeID, of disk: inout Disk) throws {
        for name in try Folder.names(in: folder).sorted() {
            let path = folder.appending(name)
            guard let status = try Folder.status(path) else { continue }
            let permissions = status.st_mode & 0o7777
            if status.st_mode & S_IFMT == S_IFDIR {
                let child = try disk.make(
                    FileName(name), in: id, .directory(CachedDirectory()), permissions: permissions)
                try load(path, into: child, of: &disk)
            } else {
                let file = CachedFile(durable: try bytes(of: path, count: Int(status.st_size)))
                _ = try disk.make(FileName(name), in: id, .file(file), permissions: permissions)
            }
        }
    }

    /// Makes an empty folder hold what programs see on `disk`.
    static func store(_ disk: Disk, in folder: FilePath) throws {
        try store(.root, of: disk, in: folder)
    }

    private static func store(_ id: NodeID, of disk: Disk, in folder: FilePath) throws {
        for (name, child) in try disk.directory(id).entries {
            let path = folder.appending("\(name)")
            let node = try disk.node(child)
            switch node.content {
            case .directory:
                try Folder.create(path)
                try store(child, of: disk, in: path)
            case .file(let file):
                let output = try FileDescriptor.open(
                    path, .writeOnly, options: [.create, .exclusiveCreate],
                    permissions: FilePermissions(rawValue: 0o600))
                defer { try? output.close() }
                try file.bytes.withUnsafeBytes { try output.writeWhole($0, at: 0) }
            }
            guard chmod(path.string, node.attributes.permissions) == 0 else {
                throw Errno(rawValue: errno)
            }
        }
    }

    private static func bytes(of path: FilePath, count: Int) throws -> [UInt8] {
        let input = try FileDescriptor.open(path, .readOnly)
        defer { try? input.close() }
        var bytes = [UInt8](repeating: 0, count: count)
        _ = try bytes.withUnsafeMutableBytes { try input.readWhole(into: $0, at: 0) }
        return bytes
    }
}
