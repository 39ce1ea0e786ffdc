import FuseBridge
import WriteBack

/// Tells the kernel what somebody else changed in the tree.
///
/// A cached listing is not dropped with the entry, so the directory is told as well.
final class KernelObserver: TreeObserver {
    private let notifier: Notifier

    private let part: PartNumbers

    /// - Parameter part: What the tree is of the mount.
    init(_ notifier: Notifier, _ part: PartNumbers = .whole) {
        self.notifier = notifier
        self.part = part
    }

    /// A command that has moved the base ends when the mount shows it.
    private static let patienceSeconds = 5.0

    func changed(_ entries: [StaleEntry]) {
        if entries.isEmpty { return }
        notifier.invalidateEntries(
            entries.map { (FileName(bytes: $0.name.bytes), part.outside(NodeID($0.parent.value))) },
            patienceSeconds: Self.patienceSeconds)
    }
}
