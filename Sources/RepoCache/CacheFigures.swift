/// What a cache has under way and in memory now, for `hubfs stats`. Bytes, where nothing else is said.
package struct CacheFigures: Hashable, Sendable {
    /// A part of the memory, and how large it may become.
    package struct Budget: Hashable, Sendable {
        package var usedBytes: UInt64
        package var limitBytes: UInt64
    }

    /// Fetched before anybody had asked for it, since the process began.
    package var aheadBytes: UInt64
    /// Of these, what was read afterwards.
    package var aheadReadBytes: UInt64
    /// Of these, what the kernel reads by itself, or does not: nobody can tell.
    package var aheadUnseenBytes: UInt64
    /// Ordered ahead by streams and not yet here.
    package var aheadComing: Budget
    /// Requests for that.
    package var aheadRequestCount: Int
    /// Small contents read lately.
    package var smallContents: Budget
    /// Blocks that the disk has no room for.
    package var unkeptBlocks: Budget
    /// Contents that are open.
    package var openContentCount: Int
}

extension RepoCache {
    /// Locks: takes several, one after the other.
    package var figures: CacheFigures {
        let services = contents.services
        let ahead = services.ahead.snapshot
        let coming = services.budget.underWay
        return CacheFigures(
            aheadBytes: ahead.fetchedBytes, aheadReadBytes: ahead.readBytes,
            aheadUnseenBytes: ahead.unseenBytes,
            aheadComing: CacheFigures.Budget(
                usedBytes: coming.byteCount, limitBytes: services.budget.byteCountMax),
            aheadRequestCount: coming.fetchCount,
            smallContents: services.small.memory, unkeptBlocks: services.unkept.memory,
            openContentCount: contents.registry.count)
    }
}
