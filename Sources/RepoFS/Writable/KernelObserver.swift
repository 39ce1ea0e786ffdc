import FuseBridge
import WriteBack

/// Tells the kernel what somebody else changed in the tree.
///
/// A cached listing is not dropped with the entry, so the directory is told as well.
final class KernelObserver: TreeObserver {
    private let notifier: Notifier

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
    }
}
