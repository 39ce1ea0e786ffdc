import HubClient
import Platform
import Synchronization

/// Counts what is fetched ahead, and how much of that is read afterwards.
///
/// Which blocks nobody has read yet is known to each open content (`OpenContent.unreadAhead`). Small files are
/// fetched before somebody opens them: what was unread when a content was closed is kept here until it is
/// opened again, of so many contents as find room.
final class AheadCounts: Sendable {
    /// One reading, bytes.
    struct Snapshot: Hashable {
        var fetchedBytes: UInt64 = 0
        var readBytes: UInt64 = 0
        /// Of files that the kernel reads by itself from then on: nobody can tell.
        var unseenBytes: UInt64 = 0
    }

    private let fetched = Atomic<UInt64>(0)
    private let read = Atomic<UInt64>(0)
    private let unseen = Atomic<UInt64>(0)
    private let closed = Guarded(
        RecentlyUsed<ContentID, [Range<Int>]>(byteCountMax: byteCountMax), rank: .leaf)

    /// Memory for unread blocks of contents that are closed.
    private static let byteCountMax = 1 << 20
    /// What an entry costs beside its ranges, about.
    private static let entryBytes = 160

    var snapshot: Snapshot {
        Snapshot(
            fetchedBytes: fetched.load(ordering: .relaxed),
            readBytes: read.load(ordering: .relaxed),
            unseenBytes: unseen.load(ordering: .relaxed))
    }

    func countFetched(_ bytes: UInt64) { fetched.wrappingAdd(bytes, ordering: .relaxed) }
    func countRead(_ bytes: UInt64) { read.wrappingAdd(bytes, ordering: .relaxed) }
    func countUnseen(_ bytes: UInt64) { unseen.wrappingAdd(bytes, ordering: .relaxed) }

    /// Keeps the unread blocks of a content that is closed.
    func keep(_ blocks: [Range<Int>], of content: ContentID) {
        let bytes = Self.entryBytes + blocks.count * MemoryLayout<Range<Int>>.size
        closed.withLock { $0.insert(blocks, byteCount: bytes, for: content) }
    }

    /// Takes back what was kept of a content.
    func take(_ content: ContentID) -> [Range<Int>] {
        closed.withLock { closed in
            defer { closed.remove(content) }
            return closed.value(of: content) ?? []
        }
    }
}

extension OpenContent {
    /// Takes note of blocks that have come: ahead of their reader, or because somebody waits for them.
    func noteStored(_ blocks: [Range<Int>], isAhead: Bool) {
        for run in blocks {
            if isAhead {
                _ = unreadAhead.insert(run)
                services.ahead.countFetched(UInt64(geometry.bytes(ofBlocks: run).count))
            } else {
                // What was fetched ahead of him was lost before he came.
                unreadAhead.remove(run) { _ in }
            }
        }
    }

    /// Takes note of bytes that were read: of those fetched ahead, whole blocks count.
    func noteAheadUse(_ range: Range<UInt64>) {
        let bytes = takeUnread(geometry.blocks(touching: range))
        if bytes > 0 { services.ahead.countRead(bytes) }
    }

    /// The kernel reads the rest by itself.
    func noteUnseenUse() {
        let bytes = takeUnread(geometry.all)
        if bytes > 0 { services.ahead.countUnseen(bytes) }
    }

    /// Leaves the unread blocks to the object that opens the content next.
    func leaveUnread() {
        let blocks = geometry.all.runs { unreadAhead.contains($0) }
        if !blocks.isEmpty { services.ahead.keep(blocks, of: location.content) }
    }

    /// Takes over what an object before has left.
    func takeOverUnread() {
        for run in services.ahead.take(location.content) {
            _ = unreadAhead.insert(run.clamped(to: geometry.all))
        }
    }

    private func takeUnread(_ blocks: Range<Int>) -> UInt64 {
        var bytes: UInt64 = 0
        unreadAhead.remove(blocks) { bytes += UInt64(geometry.bytes(ofBlock: $0).count) }
        return bytes
    }
}
