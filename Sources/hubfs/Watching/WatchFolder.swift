import FuseBridge
import Glibc
import Platform
import RepoFS

/// The folder `.hubfs` in the root of a mount: what `hubfs status`, `stats` and `log` show, for programs
/// that can read files (docs/decisions/0027).
enum WatchFolder {
    static let name = ".hubfs"

    /// - Parameter readers: Is given what to read before the mount serves its first request.
    static func folder(
        for flags: MountFlags, _ readers: LateReaders, _ log: DaemonLog
    ) -> VirtualFolder {
        let owner = flags.presentation
        return VirtualFolder(
            name, uid: owner.uid, gid: owner.gid,
            files: [
                .init("status.json") { readers.text { $0.status().json.text + "\n" } },
                .init("stats") {
                    readers.text { readers in
                        StatsText(sinceMounted: readers.figures(), nowSeconds: Double(time(nil)))
                            .lines.joined(separator: "\n") + "\n"
                    }
                },
                .init("errors") { Array(log.recentErrors.utf8) },
                .init("log") { Array(log.recent.utf8) },
            ])
    }
}

/// `MountReaders` that come when there is a mount to read.
final class LateReaders: Sendable {
    private let readers = Guarded<MountReaders?>(nil)

    func set(_ readers: MountReaders) { self.readers.withLock { $0 = readers } }

    /// - Returns: nothing before they have come.
    fileprivate func text(_ make: (MountReaders) -> String) -> [UInt8] {
        guard let readers = readers.withLock({ $0 }) else { return [] }
        return Array(make(readers).utf8)
    }
}
