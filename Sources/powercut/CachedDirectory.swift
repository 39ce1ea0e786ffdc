import FuseBridge

/// A directory on a disk with a volatile cache.
///
/// Each directory's names change in their own order. A file's fsync does not put its name on disk,
/// nor that of any directory above it: POSIX leaves that to the fsync of the directory, though ext4
/// does both. Source: man 2 fsync.
struct CachedDirectory {
    /// As programs see it.
    private(set) var entries: [FileName: NodeID]
    /// As it is on the disk for certain.
    private var durable: [FileName: NodeID]
    /// What happened since: each is one step, on the disk wholly or not at all.
    private var changes: [[FileName: NodeID?]] = []

    /// - Parameter durable: What is on the disk; programs see the same.
    init(durable: [FileName: NodeID] = [:]) {
        self.durable = durable
        entries = durable
    }

    /// Gives names to nodes, or takes them away (nil), in one step.
    mutating func change(_ names: [FileName: NodeID?]) {
        changes.append(names)
        Self.apply(names, to: &entries)
    }

    /// fsync: all names are on the disk.
    mutating func sync() {
        durable = entries
        changes = []
    }

    /// Names that a power cut can leave: those after some of the changes.
    func survivor(using chance: inout some RandomNumberGenerator) -> [FileName: NodeID] {
        var names = durable
        for change in changes.prefix(Int.random(in: 0...changes.count, using: &chance)) {
            Self.apply(change, to: &names)
        }
        return names
    }

    private static func apply(_ change: [FileName: NodeID?], to names: inout [FileName: NodeID]) {
        for (name, node) in change { names[name] = node }
    }
}
