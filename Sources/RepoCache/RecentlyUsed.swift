import DequeModule

/// A dictionary bounded by bytes that forgets what was used least recently.
struct RecentlyUsed<Key: Hashable, Value> {
    private struct Entry {
        let value: Value
        let byteCount: Int
        var stamp: UInt64
    }

    let byteCountMax: Int
    private(set) var byteCount = 0
    private var entries: [Key: Entry] = [:]
    /// Uses in order. Invariant: the last use of every key is here; older ones have an old stamp.
    private var uses = Deque<(key: Key, stamp: UInt64)>()
    private var lastStamp: UInt64 = 0

    init(byteCountMax: Int) { self.byteCountMax = byteCountMax }

    var count: Int { entries.count }

    /// The value of a key, which becomes the most recently used one.
    mutating func value(of key: Key) -> Value? {
        guard let entry = entries[key] else { return nil }
        touch(key)
        return entry.value
    }

    /// Adds or replaces a value and forgets others until all fit. A value larger than the whole
    /// bound is not taken.
    mutating func insert(_ value: Value, byteCount size: Int, for key: Key) {
        remove(key)
        guard size <= byteCountMax else { return }
        entries[key] = Entry(value: value, byteCount: size, stamp: 0)
        byteCount += size
        touch(key)
        while byteCount > byteCountMax, let use = uses.popFirst() {
            if entries[use.key]?.stamp == use.stamp { remove(use.key) }
        }
    }

    mutating func remove(_ key: Key) {
        byteCount -= entries.removeValue(forKey: key)?.byteCount ?? 0
    }

    private mutating func touch(_ key: Key) {
        lastStamp += 1
        entries[key]?.stamp = lastStamp
        uses.append((key, lastStamp))
        guard uses.count > 4 * entries.count + 64 else { return }
        uses.removeAll { entries[$0.key]?.stamp != $0.stamp }
    }
}
