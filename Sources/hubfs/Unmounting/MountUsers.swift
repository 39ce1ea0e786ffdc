import Glibc
import Platform
import SystemPackage

/// A process that keeps a mount from being unmounted.
struct MountUser {
    let pid: Int
    let name: String
    /// `working directory`, `root directory`, `program`, or the open file.
    let use: String

    var description: String { "\(printable(name)) (pid \(pid), \(printable(use)))" }

    /// Longest time to look for users, in seconds: a hint is not worth more.
    private static let patienceSeconds = 1.0
    private static let descriptorCountMax = 4096

    /// The users of a mount that can be seen without asking its daemon: by the links in /proc. Mapped
    /// files without an open descriptor, and other users' processes, may be missed.
    static func all(of mountPoint: String) -> [MountUser] {
        let deadline = MonotonicInstant.now.advanced(bySeconds: patienceSeconds)
        let processes = ((try? Folder.names(in: "/proc")) ?? []).compactMap { Int($0) }
        var users: [MountUser] = []
        for pid in processes.sorted() where MonotonicInstant.now < deadline {
            guard let use = use(of: mountPoint, by: pid) else { continue }
            users.append(MountUser(pid: pid, name: name(of: pid), use: use))
        }
        return users
    }

    private static func use(of mountPoint: String, by pid: Int) -> String? {
        let process = FilePath("/proc/\(pid)")
        let links = [
            ("cwd", "working directory"), ("root", "root directory"), ("exe", "program"),
        ]
        for (name, use) in links where isBelow(mountPoint, link: process.appending(name)) != nil {
            return use
        }
        let descriptors = process.appending("fd")
        let names = (try? Folder.names(in: descriptors)) ?? []
        for name in names.prefix(descriptorCountMax) {
            if let path = isBelow(mountPoint, link: descriptors.appending(name)) {
                return "has \(path) open"
            }
        }
        return nil
    }

    /// - Returns: what the link names, if that is the mount point or something below it.
    private static func isBelow(_ mountPoint: String, link: FilePath) -> String? {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = buffer.withUnsafeMutableBytes { bytes in
            readlink(
                link.string, bytes.baseAddress!.assumingMemoryBound(to: CChar.self), bytes.count)
        }
        guard count > 0 else { return nil }
        let path = String(decoding: buffer[..<count], as: UTF8.self)
        return path == mountPoint || path.hasPrefix(mountPoint + "/") ? path : nil
    }

    private static func name(of pid: Int) -> String {
        let text = (try? readSmallFile("/proc/\(pid)/comm")) ?? "?"
        return text.filter { $0 != "\n" }
    }
}
