import Glibc
import Platform
import SystemPackage

/// The folder of the control sockets, one per mount: `DIR/NAME.sock`, see `MountPath.name`.
///
/// `$XDG_RUNTIME_DIR/hubfs`; without that variable `/run/hubfs` for root and `/tmp/hubfs-UID` for
/// others. It belongs to its user alone, which is checked, since anybody can make names in /tmp.
struct ControlFolder {
    let path: FilePath

    /// The folder a daemon puts its socket in.
    static func own(_ environment: Environment) -> ControlFolder {
        ControlFolder(path: candidates(environment)[0])
    }

    /// The folders in which sockets of this user's mounts can be: a mount made at boot or through sudo
    /// did not have the variables of this session. Only those that can be trusted.
    static func existing(_ environment: Environment) -> [ControlFolder] {
        candidates(environment).map { ControlFolder(path: $0) }.filter { $0.refusal() == nil }
    }

    /// The socket of a mount.
    func socket(of mountPoint: String) -> FilePath {
        path.appending(MountPath.name(of: mountPoint) + ".sock")
    }

    /// All sockets in the folder.
    func sockets() -> [FilePath] {
        let names = ((try? Folder.names(in: path)) ?? []).filter { $0.hasSuffix(".sock") }
        return names.sorted().map { path.appending($0) }
    }

    /// Makes the folder when it is missing.
    ///
    /// - Throws: `Failure` when it cannot be made or belongs to others.
    func prepare() throws(Failure) {
        do throws(Errno) {
            try Folder.create(path)
        } catch {
            throw Failure(.localStorage, "the folder \(path) cannot be made: \(error)")
        }
        if let refusal = refusal() { throw Failure(.localStorage, refusal) }
    }

    /// Why the folder cannot be trusted; nil when it can.
    private func refusal() -> String? {
        var status = stat()
        guard lstat(path.string, &status) == 0 else { return "\(path) does not exist" }
        guard status.st_mode & S_IFMT == S_IFDIR, status.st_uid == geteuid(),
            status.st_mode & 0o077 == 0
        else { return "\(path) is not a folder of yours alone (mode 0700): remove it" }
        return nil
    }

    private static func candidates(_ environment: Environment) -> [FilePath] {
        let fallback = geteuid() == 0 ? "/run/hubfs" : "/tmp/hubfs-\(geteuid())"
        let runtime = environment["XDG_RUNTIME_DIR"].map { FilePath($0).appending("hubfs") }
        return (runtime.map { [$0] } ?? []) + [FilePath(fallback)]
    }
}
