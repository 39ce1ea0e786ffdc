import CLinux
package import Glibc
package import SystemPackage

/// Operations on names in folders that swift-system leaves out. Each throws the `Errno` of its
/// man page.
package enum Folder {
    /// Makes `path` and the folders above it that are missing, for their owner alone.
    package static func create(_ path: FilePath) throws(Errno) {
        if mkdir(path.string, 0o700) == 0 { return }
        let code = errno
        if code == EEXIST { return }
        let parent = path.removingLastComponent()
        guard code == ENOENT, !parent.isEmpty, parent != path else { throw Errno(rawValue: code) }
        try create(parent)
        if mkdir(path.string, 0o700) != 0, errno != EEXIST { throw Errno(rawValue: errno) }
    }

    /// The names in a folder, without "." and "..", in no order. Source: man 3 readdir.
    package static func names(in path: FilePath) throws(Errno) -> [String] {
        guard let stream = opendir(path.string) else { throw Errno(rawValue: errno) }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { field in
                field.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// Removes a file's name; true when there was one. Source: man 2 unlink.
    @discardableResult
    package static func unlink(_ path: FilePath) throws(Errno) -> Bool {
        if Glibc.unlink(path.string) == 0 { return true }
        if errno == ENOENT { return false }
        throw Errno(rawValue: errno)
    }

    /// Gives a file another name, in place of what has it. Source: man 2 rename.
    package static func rename(_ path: FilePath, to target: FilePath) throws(Errno) {
        if Glibc.rename(path.string, target.string) != 0 { throw Errno(rawValue: errno) }
    }

    /// The metadata of what a path names, links followed; nil when nothing is there.
    package static func status(_ path: FilePath) throws(Errno) -> Glibc.stat? {
        var status = Glibc.stat()
        if stat(path.string, &status) == 0 { return status }
        if errno == ENOENT || errno == ENOTDIR { return nil }
        throw Errno(rawValue: errno)
    }
}

extension FileDescriptor {
    /// Reserves disk space for the first `byteCount` bytes, so that later stores into a mapping
    /// of them cannot fail; the file grows to that size. Source: man 2 fallocate.
    ///
    /// File systems that cannot reserve are given zeros to write instead.
    package func allocate(byteCount: Int) throws(Errno) {
        do {
            _ = try check { Int(hubfs_fallocate(rawValue, 0, 0, Int64(byteCount))) }
        } catch Errno.notSupported {
            let zeros = [UInt8](repeating: 0, count: byteCount)
            do {
                try zeros.withUnsafeBytes { try writeWhole($0, at: 0) }
            } catch let code as Errno {
                throw code
            } catch {
                throw Errno.ioError
            }
        }
    }
}
