import Glibc

/// A regular file found in a folder.
struct FoundFile: Sendable {
    /// Relative to the folder, with `/`.
    let path: String
    let size: Int
    let isExecutable: Bool
}

/// The files of a folder, depth first. Links are followed to files, not to folders.
///
/// Left out, as the official client does: `.git` and `.cache/huggingface`.
enum FolderScan {
    static func files(in root: String) throws(HubError) -> [FoundFile] {
        var found: [FoundFile] = []
        var folders = [""]
        while let folder = folders.popLast() {
            let place = folder.isEmpty ? root : root + "/" + folder
            guard let stream = opendir(place) else {
                throw .unreadable(path: place, errno: errno)
            }
            defer { closedir(stream) }
            while let entry = readdir(stream) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                let path = folder.isEmpty ? name : folder + "/" + name
                if isLeftOut(name, path) { continue }
                try visit(path, root, &folders, &found)
            }
        }
        return found.sorted { $0.path < $1.path }
    }

    private static func isLeftOut(_ name: String, _ path: String) -> Bool {
        name == "." || name == ".." || name == ".git" || path == ".cache/huggingface"
    }

    private static func visit(
        _ path: String, _ root: String, _ folders: inout [String], _ found: inout [FoundFile]
    ) throws(HubError) {
        var link = stat()
        var status = stat()
        let place = root + "/" + path
        guard lstat(place, &link) == 0, stat(place, &status) == 0 else {
            throw .unreadable(path: place, errno: errno)
        }
        if link.st_mode & S_IFMT == S_IFDIR {
            folders.append(path)
        } else if status.st_mode & S_IFMT == S_IFREG {
            if let reason = FilePath.refusal(path) { throw .badPath(path: path, reason: reason) }
            found.append(
                FoundFile(
                    path: path, size: Int(status.st_size),
                    isExecutable: status.st_mode & 0o100 != 0))
        }
    }
}
