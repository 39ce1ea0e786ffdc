package import HubClient
package import Platform
package import SystemPackage

/// Where the cache lies and how much it may use. Defaults suit a workstation.
package struct CacheConfiguration: Sendable {
    /// The cache folder; made when missing.
    package var root: FilePath
    /// Disk use at which least recently used contents are evicted, in bytes; nil takes four fifths
    /// of what the disk could give the cache when it is opened.
    package var sizeLimitBytes: UInt64?
    /// The Hub's address: what its revisions name is remembered for it alone.
    package var endpoint = ""
    /// The official client's cache (`HF_HUB_CACHE`), to read from; nil does without.
    package var lowerRoot: FilePath?
    /// Bytes of the disk that the cache always leaves free.
    package var freeFloorBytes: UInt64 = 1 << 30
    /// Contents that are never evicted, asked for each time room is made: what edits stand on.
    package var pins: @Sendable () -> Set<ContentID> = { [] }
    /// Memory for blocks that the disk has no room for, shared by all contents.
    package var unkeptBytesMax = 32 << 20
    /// Memory for small contents read lately.
    package var smallBytesMax = 8 << 20
    /// Memory for directory listings used lately.
    package var listingBytesMax = 16 << 20
    /// How long the Hub is waited for when it is remembered what a revision named last.
    package var revisionPatienceSeconds = 4.0
    /// A read ends when none of its blocks arrived for this long.
    package var readTimeoutSeconds = 30.0
    /// A fetch without progress for this long is asked for again by those who wait for it.
    package var hedgeSeconds = 3.0
    /// How far streams are read ahead.
    package var readahead = ReadaheadPolicy()
    /// Requests for prefetch under way at once, in the whole process. A connection that passes
    /// 2.9 MB a round trip brings 4 MiB in two and a half: at 50 ms it takes 18 of them for 0.6 GB/s.
    package var prefetchCountMax = 20
    /// The same where the content-addressed store is asked first. Its answer takes one round trip of the
    /// four that a range takes then, and no connection of those above.
    package var questionedPrefetchCountMax: Int { prefetchCountMax * 4 / 3 }
    /// Requests of at most 256 KiB for prefetch under way at once. Each is first at the Hub and then at the
    /// CDN, and each of these has 56 connections for them.
    package var smallPrefetchCountMax = 96
    /// Bytes asked for by prefetch and not yet arrived, in the whole process.
    package var prefetchBytesMax: UInt64 = 128 << 20
    /// LFS contents up to this size are fetched whole and verified before their first byte is read.
    package var wholeBytesMax: UInt64 = 8 << 20
    /// Tells the time to time-outs and last-use marks.
    package var time: any TimeSource = SystemTime()
    /// The machine's boot id; tests pretend that the power was cut by giving another.
    package var bootID = BootID.current

    package init(root: FilePath) { self.root = root }

    /// The cache folder the environment asks for: `HUBFS_CACHE`, else `XDG_CACHE_HOME/hubfs`, else
    /// `~/.cache/hubfs`.
    ///
    /// - Returns: nil when not even HOME is set.
    package static func root(environment: [String: String]) -> FilePath? {
        func value(_ name: String) -> String? {
            environment[name].flatMap { $0.isEmpty ? nil : $0 }
        }
        if let path = value("HUBFS_CACHE") { return FilePath(path) }
        if let base = value("XDG_CACHE_HOME") { return FilePath(base).appending("hubfs") }
        return value("HOME").map { FilePath($0).appending(".cache").appending("hubfs") }
    }
}
