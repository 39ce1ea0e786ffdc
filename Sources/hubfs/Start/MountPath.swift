import FuseBridge
import Glibc
import SystemPackage

/// Paths of mount points.
enum MountPath {
    /// The path without links, as the mount table shows it; never asks a mount's daemon.
    ///
    /// - Throws: `Failure` with code `mountPoint`.
    static func resolve(_ path: String) throws(Failure) -> String {
        if let resolved = realPath(path) { return resolved }
        let code = Errno(rawValue: errno)
        // The root of a mount whose daemon died can be named, but not looked into.
        let whole = FilePath(absolutePath(path)).lexicallyNormalized()
        if code == .socketNotConnected, let name = whole.lastComponent,
            let parent = realPath(whole.removingLastComponent().string)
        {
            return FilePath(parent).appending(name).string
        }
        throw Failure(.mountPoint, sentence(path, code))
    }

    /// What is wrong with a directory that cannot be used as a mount point.
    static func sentence(_ path: String, _ code: Errno) -> String {
        switch code {
        case .noSuchFileOrDirectory: "the directory \(path) does not exist: make it with mkdir"
        case .notDirectory: "\(path) is not a directory"
        case .permissionDenied: "\(path) cannot be reached: permission denied"
        default: "\(path) cannot be used: \(code)"
        }
    }

    /// A file name that stands for a mount point: readable, and different for each.
    static func name(of mountPoint: String) -> String {
        let readable = mountPoint.split(separator: "/").suffix(2).joined(separator: "-")
            .filter { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }
        // FNV-1a; source: RFC 9923.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in mountPoint.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        let digits = String(hash, radix: 16)
        return readable.prefix(40) + "-" + String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// The mount of ours that a path is in, and the path in it; nil when it is in none.
    ///
    /// Only what is outside of every mount of ours is looked at: a daemon that hangs is not waited for.
    static func split(_ path: String) -> (mountPoint: String, inside: String)? {
        let mounts = mountPoints()
        var resolved = FilePath("/")
        var left = Array(FilePath(absolutePath(path)).components.reversed())
        var linkCount = 0
        while let name = left.popLast() {
            switch name.kind {
            case .currentDirectory: continue
            case .parentDirectory:
                resolved.removeLastComponent()
                continue
            case .regular: break
            }
            let next = resolved.appending(name)
            guard !mounts.contains(where: { next.starts(with: $0) }), let target = link(next),
                linkCount < linkCountMax
            else {
                resolved = next
                continue
            }
            linkCount += 1
            if target.isAbsolute { resolved = FilePath("/") }
            left += target.components.reversed()
        }
        let found = mounts.filter { resolved.starts(with: $0) }
            .max { $0.components.count < $1.components.count }
        guard let found else { return nil }
        var inside = resolved
        _ = inside.removePrefix(found)
        return (found.string, inside.string)
    }

    /// Links that one path is followed through. Source: man 7 path_resolution.
    private static let linkCountMax = 40

    /// Where a mount of ours is on top.
    private static func mountPoints() -> [FilePath] {
        var isOurs: [String: Bool] = [:]
        for record in MountTable.records() { isOurs[record.mountPoint] = record.isOurs }
        return isOurs.filter(\.value).map { FilePath($0.key) }
    }

    private static func link(_ path: FilePath) -> FilePath? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX) + 1) { buffer in
            let count = readlink(path.string, buffer.baseAddress!, Int(PATH_MAX))
            guard count > 0 else { return nil }
            buffer[count] = 0
            return FilePath(platformString: buffer.baseAddress!)
        }
    }

    private static func realPath(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }
}
