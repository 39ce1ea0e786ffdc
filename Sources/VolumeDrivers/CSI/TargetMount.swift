import FuseBridge
import Glibc
import Platform
import SystemPackage

/// The path at which a workload has a volume: the volume's mount, bound there.
///
/// When the volume's daemon has died, the mount here is dead too. The new one goes on top of it, not in its place:
/// so it reaches those who got the old one with `mountPropagation: HostToContainer`. The kernel passes mounts
/// on to copies of the mount that they stand on. Source: kernel documentation, "Shared Subtrees".
struct TargetMount {
    /// More on top of each other than a daemon dies in a pod's life.
    private static let layerCountMax = 100

    private let path: FilePath

    /// - Parameter path: Its last part may be missing; what is above it is looked up without links, as the mount
    ///   table shows it.
    init(_ path: FilePath) {
        guard let name = path.lastComponent,
            let above = realpath(path.removingLastComponent().string, nil)
        else {
            self.path = path
            return
        }
        defer { free(above) }
        self.path = FilePath(String(cString: above)).appending(name)
    }

    /// Binds the mount at `place` here. Nothing is done when that is what is here.
    func bind(_ place: FilePath, isReadOnly: Bool) throws(NodeError) {
        guard let source = MountTable.record(at: place.string) else {
            throw .path(place.string, .noSuchFileOrDirectory)
        }
        if let record = MountTable.record(at: path.string) {
            if record.device == source.device { return }
            guard record.isOurs else { throw .pathTaken(path.string) }
        }
        do throws(Errno) {
            try Folder.create(path)
            try MountPoint.bind(place.string, to: path.string, isReadOnly: isReadOnly)
        } catch {
            throw .path(path.string, error)
        }
    }

    /// Takes our mounts away from here, whoever uses them, and the folder.
    func remove() throws(NodeError) {
        for _ in 0..<Self.layerCountMax {
            guard let record = MountTable.record(at: path.string) else { break }
            guard record.isOurs else { throw .pathTaken(path.string) }
            do throws(FuseError) {
                try MountPoint.unmount(path.string, lazily: true)
            } catch {
                throw .path(path.string, Self.code(error))
            }
        }
        guard rmdir(path.string) != 0, errno != ENOENT else { return }
        throw .path(path.string, Errno(rawValue: errno))
    }

    private static func code(_ error: FuseError) -> Errno {
        if case .unmountFailed(_, let code) = error { return code }
        return .ioError
    }
}
