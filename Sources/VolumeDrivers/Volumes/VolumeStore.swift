import FoundationEssentials
import Glibc
import Platform
package import SystemPackage

/// The folder with a file for each volume.
///
/// ```text
/// STATE/                0700
///   lock                taken by the plugin that works with the folder
///   volumes/NAME.json   a VolumeRecord, replaced as a whole
///   output/             of hubfs commands that run, without names
/// ```
package struct VolumeStore: Sendable {
    /// A file of more bytes is not ours.
    private static let recordBytesMax = 1 << 20

    private static let suffix = ".json"

    private let volumes: FilePath
    /// For the output of commands.
    package let outputFolder: FilePath
    /// Open as long as we work with the folder.
    private let lock: FileDescriptor

    /// Opens the folder, which is made when it is missing, for this process alone.
    ///
    /// - Throws: `VolumeError.folderTaken`, `.state`.
    package init(_ folder: FilePath) throws(VolumeError) {
        volumes = folder.appending("volumes")
        outputFolder = folder.appending("output")
        do {
            try Folder.create(volumes)
            try Folder.create(outputFolder)
            lock = try FileDescriptor.open(
                folder.appending("lock"), .readWrite, options: [.create, .closeOnExec],
                permissions: .ownerReadWrite)
        } catch {
            throw .state(path: folder.string, error as? Errno ?? .ioError)
        }
        do throws(Errno) {
            if try lock.lock(.exclusive, waits: false) { return }
        } catch {
            throw .state(path: folder.string, error)
        }
        throw .folderTaken(path: folder.string)
    }

    /// Lets others work with the folder; nothing else is called after that.
    func close() { try? lock.close() }

    /// All volumes.
    ///
    /// - Throws: `VolumeError.unreadable` for a damaged file: no volume is forgotten silently.
    func load() throws(VolumeError) -> [VolumeRecord] {
        let names: [String]
        do throws(Errno) {
            names = try Folder.names(in: volumes)
        } catch {
            throw .state(path: volumes.string, error)
        }
        var records: [VolumeRecord] = []
        for name in names.sorted() {
            let path = volumes.appending(name)
            // What a write that was cut off has left.
            if name.hasSuffix(".new") {
                unlink(path.string)
            } else if name.hasSuffix(Self.suffix) {
                records.append(try read(path))
            }
        }
        return records
    }

    private func read(_ path: FilePath) throws(VolumeError) -> VolumeRecord {
        do {
            let file = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
            defer { try? file.close() }
            let size = Int(try file.status().st_size)
            guard size <= Self.recordBytesMax else {
                throw VolumeError.unreadable(path: path.string)
            }
            let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 1)
            defer { bytes.deallocate() }
            let count = try file.readWhole(into: bytes, at: 0)
            let record = try JSONDecoder().decode(
                VolumeRecord.self, from: Data(bytes[..<count]))
            guard record.version == VolumeRecord.formatVersion,
                path.lastComponent?.string == record.name + Self.suffix
            else { throw VolumeError.unreadable(path: path.string) }
            return record
        } catch let code as Errno {
            throw .state(path: path.string, code)
        } catch {
            throw .unreadable(path: path.string)
        }
    }

    /// Writes a volume's file so that after a power cut it is there as before or as it is now.
    func save(_ record: VolumeRecord) throws(VolumeError) {
        let path = volumes.appending(record.name + Self.suffix)
        let new = volumes.appending(record.name + ".new")
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            let data = try encoder.encode(record)
            let file = try FileDescriptor.open(
                new, .writeOnly, options: [.create, .truncate, .closeOnExec],
                permissions: .ownerReadWrite)
            do {
                defer { try? file.close() }
                try data.withUnsafeBytes { try file.writeWhole($0, at: 0) }
                try file.sync()
            }
            try Folder.rename(new, to: path)
            try syncNames()
        } catch {
            throw .state(path: path.string, error as? Errno ?? .ioError)
        }
    }

    /// The file of a volume.
    func path(of name: VolumeName) -> FilePath { volumes.appending(name.text + Self.suffix) }

    func remove(_ name: VolumeName) throws(VolumeError) {
        let path = path(of: name)
        do {
            try Folder.unlink(path)
            try syncNames()
        } catch {
            throw .state(path: path.string, error as? Errno ?? .ioError)
        }
    }

    private func syncNames() throws {
        let folder = try FileDescriptor.open(volumes, .readOnly, options: .closeOnExec)
        defer { try? folder.close() }
        try folder.sync()
    }
}
