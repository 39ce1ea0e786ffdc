import FuseBridge
import Glibc
import Platform
import SystemPackage

/// Drops repos of the whole Hub's tree that nobody uses.
///
/// The kernel is told to forget such a repo's name, and with it all it knows below; when it has, the
/// repo goes. A repo is in use while a file or directory of it is open, and while it is the working
/// directory of a process that can be seen: such a process would not find its own directory any more.
final class IdleRepos: Sendable {
    private let tree: HubTreeFileSystem
    private let mountPoint: String
    private let notifier: Notifier
    private let timers: TimerQueue
    /// Looks at processes: not on the thread of the timers.
    private let worker = Worker(name: "hubfs-idle", jobCountMax: 1)
    private let isClosed = Guarded(false, rank: .leaf)

    /// - Parameters:
    ///   - timers: Must be closed after `close`.
    ///   - notifier: Must be closed after `close`.
    init(
        _ tree: HubTreeFileSystem, at mountPoint: String, notifier: Notifier, timers: TimerQueue
    ) {
        self.tree = tree
        self.mountPoint = mountPoint
        self.notifier = notifier
        self.timers = timers
    }

    func start() {
        let seconds = min(max(tree.policy.idleSeconds / 4, 0.25), 30)
        timers.schedule(afterSeconds: seconds) { [weak self] in
            guard let self, !isClosed.withLock({ $0 }) else { return }
            // One that is still at work has not been waited for: it is tried again.
            _ = worker.submit { [weak self] in self?.drop() }
            start()
        }
    }

    /// Drops nothing more. Call once.
    func close() {
        isClosed.withLock { $0 = true }
        worker.close()
    }

    private func drop() {
        let since = MonotonicInstant.now.advanced(bySeconds: -tree.policy.idleSeconds)
        let idle = tree.tables.withLock { tables in
            tables.slots.idle(since: since, openCountMax: HubTreePolicy.openCountMax)
                .compactMap { part in tables.slots[part].map { (part, $0) } }
        }
        tree.closeRemoved()
        if idle.isEmpty { return }
        let workingDirectories = Self.workingDirectories(below: mountPoint)
        for (part, slot) in idle {
            let path = slot.name.description
            if workingDirectories.contains(where: { $0 == path || $0.hasPrefix(path + "/") }) {
                continue
            }
            let parent = tree.tables.withLock { tables -> NodeID? in
                guard tables.slots.detach(part, ifUnusedSince: slot.usedAt) else { return nil }
                return tables.places.node(slot.name.place)
            }
            tree.closeRemoved()
            if let parent {
                _ = notifier.invalidateEntry(FileName(slot.name.fileName), in: parent)
            }
        }
    }

    /// Where processes have their working directories, from the mount point, as far as this user may
    /// know. Told by the links in /proc: the mount is not asked.
    private static func workingDirectories(below mountPoint: String) -> Set<String> {
        let names = (try? Folder.names(in: "/proc")) ?? []
        var found: Set<String> = []
        for name in names where name.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            for link in ["cwd", "root"] {
                guard let path = target(of: "/proc/\(name)/\(link)"),
                    path.hasPrefix(mountPoint + "/")
                else { continue }
                found.insert(String(path.dropFirst(mountPoint.count + 1)))
            }
        }
        return found
    }

    private static func target(of link: String) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX) + 1) { buffer in
            let count = readlink(link, buffer.baseAddress!, Int(PATH_MAX))
            guard count > 0 else { return nil }
            let bytes = UnsafeRawBufferPointer(buffer)[..<count]
            return String(validating: bytes, as: UTF8.self)
        }
    }
}
