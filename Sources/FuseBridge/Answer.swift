package import SystemPackage

/// How long the kernel may trust a name or attributes without asking.
package struct CacheTime: Hashable, Sendable {
    package let seconds: Double

    package init(seconds: Double) { self.seconds = seconds }

    /// What lives on an immutable snapshot never goes stale. Finite, because the kernel multiplies.
    package static let forever = CacheTime(seconds: 1_000_000_000)
}

/// A name found, or known to be absent.
package struct Entry: Sendable {
    package let node: NodeID
    /// Changes when a node number is used for another object.
    package let generation: UInt64
    package let attributes: Attributes
    package let cacheTime: CacheTime

    package init(
        node: NodeID, generation: UInt64, attributes: Attributes, cacheTime: CacheTime
    ) {
        self.node = node
        self.generation = generation
        self.attributes = attributes
        self.cacheTime = cacheTime
    }
}

/// What `statfs` shows. Source: man 3 statvfs.
package struct FileSystemStatistics: Hashable, Sendable {
    package var blockBytes: UInt64
    package var blockCount: UInt64
    package var freeBlockCount: UInt64
    package var fileCount: UInt64

    package init(blockBytes: UInt64, blockCount: UInt64, freeBlockCount: UInt64, fileCount: UInt64)
    {
        self.blockBytes = blockBytes
        self.blockCount = blockCount
        self.freeBlockCount = freeBlockCount
        self.fileCount = fileCount
    }
}

/// Everything hubfs can answer to a request. `Reply` offers each request only the cases that fit.
package enum Answer {
    case failure(Errno)
    case success
    case entry(Entry)
    /// The name is absent; the kernel may remember that.
    case absent(CacheTime)
    case attributes(Attributes, CacheTime)
    /// `keepsCache`: pages of earlier opens stay valid, because the bytes cannot have changed.
    case opened(HandleID, keepsCache: Bool)
    /// Every read is asked for, whatever size the file shows, and no page of it is kept.
    case openedDirectly(HandleID)
    /// The kernel reads the file by itself; nothing but the release comes for the handle, and reads
    /// by readahead(2) and posix_fadvise(2).
    case openedBacked(HandleID, BackingFiles.ID)
    case openedDirectory(HandleID, keepsCache: Bool)
    case created(Entry, HandleID, keepsCache: Bool)
    /// Of a file. Valid during the call only.
    case bytes(UnsafeRawBufferPointer)
    /// Of a directory. Valid during the call only.
    case entries(UnsafeRawBufferPointer)
    /// Of an extended attribute. Valid during the call only.
    case value(UnsafeRawBufferPointer)
    case link(FileName)
    case statistics(FileSystemStatistics)
    /// The size a buffer for an extended attribute needs.
    case size(Int)
    case offset(UInt64)
    /// Bytes taken of a write or a copy.
    case written(Int)
}
