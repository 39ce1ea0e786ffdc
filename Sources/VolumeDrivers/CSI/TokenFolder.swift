import Glibc
import HubClient
import Platform
import SystemPackage

/// The volumes' tokens, a file each, which their daemons read again when it has changed.
///
/// They are on disk, for their owner alone, because the commit of an unmount needs one and comes without: also
/// after a restart of the driver.
struct TokenFolder: Sendable {
    private let folder: FilePath

    /// - Parameter folder: Made when it is missing.
    init(_ folder: FilePath) throws(VolumeError) {
        self.folder = folder
        do throws(Errno) {
            try Folder.create(folder)
        } catch {
            throw .state(path: folder.string, error)
        }
    }

    /// Where the volume's token is, if it has one.
    func path(of name: VolumeName) -> FilePath { folder.appending(name.text) }

    /// Puts a token in the place of what is there, so that no reader finds a half.
    func write(_ token: Token, for name: VolumeName) throws(VolumeError) {
        let path = path(of: name)
        let new = folder.appending(name.text + "~")
        do {
            let file = try FileDescriptor.open(
                new, .writeOnly, options: [.create, .truncate, .closeOnExec],
                permissions: .ownerReadWrite)
            do {
                defer { try? file.close() }
                _ = try file.writeAll(token.secret.utf8)
            }
            try Folder.rename(new, to: path)
        } catch {
            throw .state(path: path.string, error as? Errno ?? .ioError)
        }
    }

    func has(_ name: VolumeName) -> Bool { access(path(of: name).string, F_OK) == 0 }

    func remove(_ name: VolumeName) {
        unlink(path(of: name).string)
    }
}
