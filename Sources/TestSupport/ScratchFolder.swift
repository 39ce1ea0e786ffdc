import Glibc
package import SystemPackage

/// A folder of a test's own, removed with everything in it at `remove`.
package struct ScratchFolder: Sendable {
    package let path: FilePath

    package init() {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(base)/hubfs-test-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else {
            preconditionFailure("no scratch folder: \(errno)")
        }
        path = FilePath(String(cString: made))
    }

    package func remove() { Self.remove(path) }

    private static func remove(_ path: FilePath) {
        var status = stat()
        guard lstat(path.string, &status) == 0 else { return }
        if status.st_mode & S_IFMT == S_IFDIR, let stream = opendir(path.string) {
            while let entry = readdir(stream) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) { field in
                    field.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if name != ".", name != ".." { remove(path.appending(name)) }
            }
            closedir(stream)
            rmdir(path.string)
        } else {
            unlink(path.string)
        }
    }
}
