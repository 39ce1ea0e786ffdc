import FuseBridge
import WriteBack

/// Tells the kernel what somebody else changed in the tree.
///
/// A cached listing is not dropped with the entry, so the directory is told as well.
final class KernelObserver: TreeObserver {
    private let notifier: Notifier

    private static let patienceSeconds = 5.0

    init(_ notifier: Notifier) { self.notifier = notifier }

    func changed(_ entries: [StaleEntry]) {
        var directories: Set<NodeNumber> = []
        for entry in entries {
            _ = notifier.invalidateEntry(
                FileName(bytes: entry.name.bytes), in: NodeID(entry.parent.value))
            directories.insert(entry.parent)
        }
        for directory in directories {
            _ = notifier.invalidateDirectory(NodeID(directory.value))
        }
        // Whoever asked for the change sees it when it is answered.
        notifier.settle(withinSeconds: Self.patienceSeconds)
    }
}
