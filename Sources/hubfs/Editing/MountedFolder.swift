import FuseBridge
import Glibc
import Platform
import SystemPackage

/// A directory at which hubfs is mounted, as a command's argument names it.
struct MountedFolder {
    /// Absolute and free of links.
    let path: String

    private static let patienceSeconds = 5.0

    init(_ directory: String) throws(Failure) {
        path = try MountPath.resolve(directory)
        guard let record = MountTable.record(at: path), record.isOurs else {
            throw Failure(.mountPoint, "hubfs is not mounted at \(path)")
        }
    }

    /// The mount that a path is in.
    init(containing path: String) throws(Failure) {
        guard let place = MountPath.split(path) else {
            throw Failure(.mountPoint, "\(path) is in no mount of hubfs")
        }
        self.path = place.mountPoint
    }

    /// The daemon of a writable mount.
    ///
    /// - Throws: `Failure` when the mount is read only, or its daemon does not answer.
    func editingDaemon() throws(Failure) -> EditingDaemon {
        let folders = ControlFolder.existing(Environment())
        let deadline = MonotonicInstant.now.advanced(bySeconds: Self.patienceSeconds)
        switch MountReport.ask([path], folders, deadline)[0].state {
        case .answered(let status) where status.edits != nil:
            return EditingDaemon(answeringAt: path)
        case .answered:
            throw Failure(.usage, "\(path) is mounted read only; mount it with -w to edit it")
        case .silent(let silence):
            throw Failure(
                silence == .hangs ? .timedOut : .mountPoint, "\(path): \(silence.sentence)")
        }
    }

    /// Has what programs stored in mappings of files reach the daemon. Source: man 2 syncfs.
    func writeBackMappings() {
        guard
            let directory = try? FileDescriptor.open(
                path, .readOnly, options: [.directory, .closeOnExec])
        else { return }
        try? directory.syncFileSystem()
        try? directory.close()
    }

    /// A path below the mount as it is in the mount: given as the shell completes it, from the current
    /// directory or whole, or from the mounted directory.
    ///
    /// - Throws: `Failure` with code `usage` for a path that is not UTF-8: as text it could be another's.
    func inside(_ path: String) throws(Failure) -> String {
        if path.unicodeScalars.contains("\u{fffd}"), !Self.isArgument(path) {
            throw Failure(
                .usage, "\(path) is not UTF-8 and cannot be named here; name the folder it is in")
        }
        if let place = MountPath.split(path), place.mountPoint == self.path,
            !place.inside.isEmpty
        {
            return place.inside
        }
        var names = FilePath(path).lexicallyNormalized()
        if names.isAbsolute {
            guard names.starts(with: FilePath(self.path)) else {
                throw Failure(.usage, "\(path) is not in \(self.path)")
            }
            _ = names.removePrefix(FilePath(self.path))
        }
        guard names.components.first?.kind != .parentDirectory else {
            throw Failure(.usage, "\(path) is not in \(self.path)")
        }
        return names.string == "." ? "" : names.string
    }

    /// Whether an argument of this process has exactly these bytes: those that are not UTF-8 became
    /// others when it was made a text.
    private static func isArgument(_ text: String) -> Bool {
        (0..<Int(CommandLine.argc)).contains { index in
            CommandLine.unsafeArgv[index].map { strcmp($0, text) == 0 } ?? false
        }
    }
}
