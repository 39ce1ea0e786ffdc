package import HubClient

/// Which contents `hubfs cache prune` takes.
package struct PruneWish: Sendable {
    /// Those not used for so long.
    package var unusedSeconds: Int64?
    /// The least recently used ones, until the cache takes no more than this on disk.
    package var diskBytesMax: UInt64?

    /// Those that stay in any case.
    package var pins: Set<ContentID>

    package init(
        unusedSeconds: Int64? = nil, diskBytesMax: UInt64? = nil, pins: Set<ContentID> = []
    ) {
        self.unusedSeconds = unusedSeconds
        self.diskBytesMax = diskBytesMax
        self.pins = pins
    }
}

extension CacheInventory {
    /// What `prune` would take if nothing were in use, the least recently used first.
    package func prunable(_ wish: PruneWish) throws(CacheError) -> [CachedContent] {
        try prunable(wish, without: wish.pins)
    }

    /// Removes what is wished for, and what comes next in place of what is in use.
    package func prune(_ wish: PruneWish) throws(CacheError) -> Removal {
        var total = Removal()
        while true {
            let wanted = try prunable(wish, without: wish.pins.union(total.inUse))
            if wanted.isEmpty { return total }
            let removal = try remove(wanted)
            total.removedCount += removal.removedCount
            total.freedBytes += removal.freedBytes
            total.inUse += removal.inUse
            // What was removed by another process meanwhile is in neither.
            if removal.removedCount == 0, removal.inUse.isEmpty { return total }
        }
    }

    private func prunable(
        _ wish: PruneWish, without kept: Set<ContentID>
    ) throws(CacheError) -> [CachedContent] {
        var rest = try contents().filter { !kept.contains($0.content) }
        var wanted: [CachedContent] = []
        if let seconds = wish.unusedSeconds {
            let before = secondsSince1970() - seconds
            wanted = rest.filter { ($0.lastUse ?? 0) <= before }
            rest = rest.filter { ($0.lastUse ?? 0) > before }
        }
        guard let bytesMax = wish.diskBytesMax else { return wanted }
        var left = Int64(try diskBytes()) - wanted.reduce(0) { $0 + Int64($1.diskBytes) }
        for content in rest where left > Int64(clamping: bytesMax) {
            wanted.append(content)
            left -= Int64(content.diskBytes)
        }
        return wanted
    }
}
