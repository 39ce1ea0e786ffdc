import Glibc
import HubClient
import Platform
import Settings
import SystemPackage

/// Where the configuration files are.
///
/// The user's is `$HUBFS_CONFIG`, which `--config` sets, else `$XDG_CONFIG_HOME/hubfs/config.toml`, else
/// `~/.config/hubfs/config.toml`. The system's lies below it.
struct ConfigFiles {
    static let variable = "HUBFS_CONFIG"
    static let system = "/etc/hubfs/config.toml"
    /// Larger is no file of options.
    private static let bytesMax = 1 << 20

    /// nil when there is no home either.
    let user: String?
    /// Whether somebody has said which file is meant. It has to be there then.
    private let isNamed: Bool

    init(_ environment: Environment) {
        let named = environment[Self.variable]
        isNamed = named != nil
        let folder = environment["XDG_CONFIG_HOME"] ?? environment["HOME"].map { $0 + "/.config" }
        user = named ?? folder.map { $0 + "/hubfs/config.toml" }
    }

    /// False when there is nothing to read, and nothing to complain of.
    var mayBeThere: Bool {
        isNamed || [user, Self.system].contains { $0.map { access($0, F_OK) == 0 } ?? false }
    }

    /// Reads the files that are there, the strongest first.
    ///
    /// - Throws: `Failure` with code `usage` for a file that is not understood or belongs to somebody
    ///   else, with `localStorage` for one that was named and cannot be read.
    func read() throws(Failure) -> [ConfigFile] {
        var files: [ConfigFile] = []
        if let user, let file = try Self.read(user, isNamed: isNamed) { files.append(file) }
        if let file = try Self.read(Self.system, isNamed: false) { files.append(file) }
        return files
    }

    private static func read(_ path: String, isNamed: Bool) throws(Failure) -> ConfigFile? {
        let bytes: [UInt8]
        do {
            let file = try FileDescriptor.open(
                FilePath(path), .readOnly, options: [.closeOnExec])
            defer { try? file.close() }
            if !isNamed { try checkOwner(of: file, path) }
            bytes = try allBytes(of: file)
        } catch let failure as Failure {
            throw failure
        } catch {
            // One that this user may not look for is not there: a daemon may have another's home.
            let isAbsent =
                error as? Errno == .noSuchFileOrDirectory
                || error as? Errno == .notDirectory || error as? Errno == .permissionDenied
            if isAbsent, !isNamed { return nil }
            throw Failure(.localStorage, "the configuration file \(path) cannot be read: \(error)")
        }
        do throws(SettingsComplaint) {
            return try ConfigFile(bytes, path: path)
        } catch {
            throw Failure(.usage, error.description)
        }
    }

    /// Refuses what somebody else could have written: through sudo with the home of its caller, root
    /// would write where that one says.
    private static func checkOwner(of file: FileDescriptor, _ path: String) throws {
        let status = try file.status()
        if status.st_uid == 0 || status.st_uid == geteuid() { return }
        throw Failure(
            .usage,
            "the configuration file \(path) belongs to user \(status.st_uid) and is not taken: name it "
                + "with --config or \(variable) if it is meant")
    }

    private static func allBytes(of file: FileDescriptor) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count <= bytesMax {
            let count = bytes.count
            bytes.append(contentsOf: repeatElement(0, count: 16 << 10))
            let read = try bytes.withUnsafeMutableBytes {
                try file.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[count...]))
            }
            bytes.removeLast((16 << 10) - read)
            if read == 0 { return bytes }
        }
        throw Errno.fileTooLarge
    }
}
