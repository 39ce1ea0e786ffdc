import HubClient
import Platform

/// Has all files of a split model fetched once a program streams one of them.
///
/// Which files these are is in the index, which programs read first: so it is here, or nothing is
/// done. The files behind the one that is read come first. Fetching goes on while somebody streams
/// any of them, and for `activeSeconds` more.
final class ShardPrefetch: AheadSource {
    static let activeSeconds = 30.0
    /// Models watched at once.
    static let groupCountMax = 4
    /// Bytes of one item: how far fetching goes on when nobody reads any more.
    static let itemBytes: UInt64 = 64 << 20

    private struct Group {
        let commit: CommitOID
        /// From the one that was streamed first.
        let shards: [ContentLocation]
        var shard = 0
        var offset: UInt64 = 0
        var activeAt: MonotonicInstant

        var isDone: Bool { shard == shards.count }

        mutating func takeItem() -> AheadItem {
            let file = shards[shard]
            let end = min(offset + ShardPrefetch.itemBytes, file.size)
            let item = AheadItem(file, range: offset..<end)
            offset = end
            if end == file.size { (shard, offset) = (shard + 1, 0) }
            return item
        }
    }

    private let contents: ContentStore
    private let snapshots: SnapshotStore
    private let groups = Guarded<[Group]>([], rank: .readahead)

    init(contents: ContentStore, snapshots: SnapshotStore) {
        self.contents = contents
        self.snapshots = snapshots
    }

    /// Bytes in a row that make a reader of one file a reader of the model: an eighth of the file, so
    /// that somebody who picks a few tensors is left alone.
    private static func streamedBytesMin(size: UInt64) -> UInt64 {
        max(toldEveryBytes, min(size / 8, 256 << 20))
    }

    /// A stream that goes on says so as often as this, not with every read.
    private static let toldEveryBytes: UInt64 = 8 << 20

    /// Whether `streamed` is to be called.
    ///
    /// - Parameters:
    ///   - consumed: Bytes that a stream of a file has read in a row.
    ///   - count: Those of its last read.
    ///   - size: Bytes of the file.
    static func isTold(_ consumed: UInt64, after count: UInt64, size: UInt64) -> Bool {
        guard consumed >= streamedBytesMin(size: size) else { return false }
        return consumed / toldEveryBytes != (consumed - min(count, consumed)) / toldEveryBytes
    }

    /// Takes note that a file is being streamed; may be said again and again.
    ///
    /// - Returns: true when there is more to fetch now.
    func streamed(_ file: ContentLocation) -> Bool {
        let now = contents.services.now
        let isKnown = groups.withLock { groups in
            let index = groups.firstIndex { group in
                group.commit == file.commit && group.shards.contains { $0.path == file.path }
            }
            if let index { groups[index].activeAt = now }
            return index != nil
        }
        if isKnown { return true }
        guard let shards = shards(of: file) else { return false }
        groups.withLock { groups in
            if groups.count == Self.groupCountMax { groups.removeFirst() }
            groups.append(Group(commit: file.commit, shards: shards, activeAt: now))
        }
        return true
    }

    func next() -> AheadItem? {
        let now = contents.services.now
        return groups.withLock { groups in
            let isWanted = { (group: Group) in
                !group.isDone && now.seconds(since: group.activeAt) < Self.activeSeconds
            }
            guard let index = groups.indices.last(where: { isWanted(groups[$0]) }) else {
                return nil
            }
            return groups[index].takeItem()
        }
    }

    func ended(_ item: AheadItem, _ outcome: AheadOutcome) {}

    /// All shards of the model that a file belongs to, beginning with that file; nil when it belongs
    /// to none, or when the model is more than half of what the cache may hold.
    private func shards(of file: ContentLocation) -> [ContentLocation]? {
        guard let (directory, index) = snapshots.place(of: file),
            let place = ShardIndex.names(forShard: directory.listing.name(at: index))
                .compactMap({ directory.listing.index(of: $0) }).first,
            let location = directory.file(at: place), let bytes = bytesHere(of: location),
            let names = ShardIndex.shards(bytes)
        else { return nil }
        let shards = names.compactMap { name in
            directory.listing.index(of: name).flatMap { directory.file(at: $0) }
        }
        let byteCount = shards.reduce(UInt64(0)) { $0 &+ $1.size }
        guard byteCount <= contents.services.ledger.limitBytes / 2,
            let first = shards.firstIndex(where: { $0.path == file.path })
        else { return nil }
        return Array(shards[first...] + shards[..<first])
    }

    /// The bytes of an index that was read before.
    private func bytesHere(of file: ContentLocation) -> [UInt8]? {
        guard file.size <= ShardIndex.byteCountMax, file.size > 0,
            let content = try? contents.openAhead(file)
        else { return nil }
        defer { content.close() }
        var isWhole = false
        let bytes = [UInt8](unsafeUninitializedCapacity: Int(file.size)) { buffer, count in
            let read = content.readPresent(into: UnsafeMutableRawBufferPointer(buffer), at: 0)
            isWhole = read == buffer.count
            count = isWhole ? buffer.count : 0
        }
        return isWhole ? bytes : nil
    }
}
