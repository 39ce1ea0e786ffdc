import Glibc
import Platform
import SystemPackage

/// The folder of the control sockets, one per mount: `DIR/NAME.sock`, see `MountPath.name`.
///
/// In `hubfs run` the folder that `HUBFS_CONTROL` names: other runs have mounts at the same places. Else
/// `$XDG_RUNTIME_DIR/hubfs`; without that variable `/run/hubfs` for root and `/tmp/hubfs-UID` for
/// others. It belongs to its user alone, which is checked, since anybody can make names in /tmp.
struct ControlFolder {
    let path: FilePath

    /// The variable that tells the commands in `hubfs run` where its sockets are.
    static let runVariable = "HUBFS_CONTROL"

    /// Makes an empty folder for the sockets of one run, beside those of other mounts.
    ///
    /// - Throws: `Failure` with code `localStorage`.
    static func ofRun(_ environment: Environment) throws(Failure) -> ControlFolder {
        var variables = environment.variables
        variables[runVariable] = nil
        let parent = own(Environment(variables: variables))
        try parent.prepare()
        var name = Array(parent.path.appending("run-XXXXXX").string.utf8CString)
        guard mkdtemp(&name) != nil else {
            throw Failure(
                .localStorage, "no folder can be made in \(parent.path): \(Errno(rawValue: errno))")
        }
        return ControlFolder(path: FilePath(platformString: name))
    }

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
        guard let facts = try? FileFacts(path, followsLinks: false) else {
            return "\(path) does not exist"
        }
        guard facts.isFolder, facts.ownerID == geteuid(), facts.mode & 0o077 == 0 else {
            return "\(path) is not a folder of yours alone (mode 0700): remove it"
        }
        return nil
    }

    private static func candidates(_ environment: Environment) -> [FilePath] {
        let fallback = geteuid() == 0 ? "/run/hubfs" : "/tmp/hubfs-\(geteuid())"
        let runtime = environment["XDG_RUNTIME_DIR"].map { FilePath($0).appending("hubfs") }
        let folders = [environment[runVariable].map { FilePath($0) }, runtime, FilePath(fallback)]
        return folders.compactMap(\.self)
    }
}
