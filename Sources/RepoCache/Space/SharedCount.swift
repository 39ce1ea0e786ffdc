import Glibc
import Platform
import Synchronization
import SystemPackage

/// How much of the cache's room is taken, counted by all processes together in one mapped page,
/// `space.map`.
///
/// ```
/// offset  size  type          meaning
/// 0       8     bytes         magic "hubfsspc"
/// 8       8     u64           format version, 1
/// 16      8     i64, atomic   base: what is used is this and everything reserved since
/// 24      8     i64, atomic   bytes ever reserved
/// 32      8     i64, atomic   of these, bytes whose writing has ended
/// 40      8     i64, atomic   bytes ever reserved when the last measurement began
/// ```
///
/// Reserving moves one number only if the limit allows it, in one atomic step, so processes cannot go over the
/// limit together. A measurement finds what lies on disk; what was not settled before it began may or may
/// not have been seen, and is counted on top. A killed process leaves what it was about to write, some
/// blocks, counted until the cache is opened by nobody else: an error on the safe side.
///
/// Every process that counts holds a shared lock on the file; who gets the exclusive one is alone and
/// starts anew.
final class SharedCount: Sendable {
    private enum Offset {
        static let version = 8
        static let base = 16
        static let reserved = 24
        static let settled = 32
        static let measured = 40
    }

    private static let magic: [UInt8] = Array("hubfsspc".utf8)
    private static let version: UInt64 = 1
    private static let byteCount = 4096

    private let memory: MappedMemory
    /// Holds the lock.
    private let file: FileDescriptor

    /// - Parameter survey: Finds what is on disk; called when nobody else has the count open, while nobody
    ///   else can open it.
    init(
        in folder: CacheFolder, survey: () throws(CacheError) -> Int64
    ) throws(CacheError) {
        let setup: FileDescriptor
        let isAlone: Bool
        do throws(Errno) {
            setup = try openForUpdate(folder.setupLock, creates: true)
            _ = try setup.lock(.exclusive, waits: true)
            (file, memory, isAlone) = try Self.open(folder.spaceCount)
        } catch {
            throw .disk(error, path: folder.spaceCount.string)
        }
        defer { try? setup.close() }
        if isAlone { try measure(survey) }
    }

    deinit { try? file.close() }

    /// Keeps everybody else from opening the cache, if nobody has it open.
    ///
    /// - Returns: what to close afterwards; nil when somebody has.
    static func takeAlone(in folder: CacheFolder) throws(Errno) -> FileDescriptor? {
        let file = try openForUpdate(folder.spaceCount, creates: true)
        if try file.lock(.exclusive, waits: false) { return file }
        try? file.close()
        return nil
    }

    private static func open(
        _ path: FilePath
    ) throws(Errno) -> (FileDescriptor, MappedMemory, isAlone: Bool) {
        var file = try openForUpdate(path, creates: true)
        var isAlone = try file.lock(.exclusive, waits: false)
        if !isAlone, try !isSound(file) {
            // Somebody else's doing. Those who have it go on among themselves.
            try? file.close()
            try Folder.unlink(path)
            file = try openForUpdate(path, creates: true)
            isAlone = try file.lock(.exclusive, waits: true)
        }
        // Neither is done needlessly: both may wait for the disk.
        if try !hasPage(file) {
            if isAlone { try file.truncate(to: 0) }
            try file.allocate(byteCount: byteCount)
        }
        let memory = try MappedMemory(sharing: file, byteCount: byteCount)
        if isAlone {
            memory.bytes.initializeMemory(as: UInt8.self, repeating: 0)
            memory.bytes.storeBytes(
                of: version, toByteOffset: Offset.version, as: UInt64.self)
            UnsafeMutableRawBufferPointer(rebasing: memory.bytes[..<magic.count])
                .copyBytes(from: magic)
        }
        _ = try file.lock(.shared, waits: true)
        return (file, memory, isAlone)
    }

    /// Whether a file is as long as the page, and has it on disk.
    private static func hasPage(_ file: FileDescriptor) throws(Errno) -> Bool {
        let status = try file.status()
        return status.st_size == byteCount && status.st_blocks > 0
    }

    private static func isSound(_ file: FileDescriptor) throws(Errno) -> Bool {
        guard try file.status().st_size == byteCount else { return false }
        var header = [UInt8](repeating: 0, count: Offset.base)
        let read = header.withUnsafeMutableBytes { buffer in
            Result { () throws(Errno) in try file.readWhole(into: buffer, at: 0) }
        }
        guard try read.get() == header.count else { return false }
        let found = header.withUnsafeBytes {
            $0.loadUnaligned(fromByteOffset: Offset.version, as: UInt64.self)
        }
        return header.prefix(magic.count).elementsEqual(magic) && found == version
    }

    // MARK: Counting

    /// Bytes used, those reserved and not yet written included.
    var usedBytes: Int64 {
        word(Offset.base).pointee.load(ordering: .acquiring)
            &+ word(Offset.reserved).pointee.load(ordering: .acquiring)
    }

    /// Bytes reserved whose writing has not ended.
    var pendingBytes: Int64 {
        let settled = word(Offset.settled).pointee.load(ordering: .acquiring)
        return word(Offset.reserved).pointee.load(ordering: .acquiring) &- settled
    }

    /// Bytes reserved since the last measurement began.
    var unmeasuredBytes: Int64 {
        word(Offset.reserved).pointee.load(ordering: .relaxed)
            &- word(Offset.measured).pointee.load(ordering: .relaxed)
    }

    /// Takes `bytes`, unless more than `limit` would be used then.
    func reserve(_ bytes: Int64, limit: Int64) -> Bool {
        let reserved = word(Offset.reserved)
        var seen = reserved.pointee.load(ordering: .acquiring)
        while true {
            let used = word(Offset.base).pointee.load(ordering: .acquiring) &+ seen
            guard used + bytes <= limit else { return false }
            let (isTaken, found) = reserved.pointee.weakCompareExchange(
                expected: seen, desired: seen &+ bytes, ordering: .acquiringAndReleasing)
            if isTaken { return true }
            seen = found
        }
    }

    /// Says that bytes that were reserved are on disk, or never will be.
    func settle(_ bytes: Int64) {
        word(Offset.settled).pointee.add(bytes, ordering: .acquiringAndReleasing)
    }

    /// Takes over what `survey` finds on disk.
    func measure<Failure>(_ survey: () throws(Failure) -> Int64) throws(Failure) {
        // First, so that everything settled by now is seen by the survey.
        let settled = word(Offset.settled).pointee.load(ordering: .acquiring)
        let reserved = word(Offset.reserved).pointee.load(ordering: .acquiring)
        let found = try survey()
        word(Offset.base).pointee.store(found &- settled, ordering: .releasing)
        word(Offset.measured).pointee.store(reserved, ordering: .releasing)
    }

    private func word(_ offset: Int) -> UnsafeMutablePointer<Atomic<Int64>> {
        (memory.bytes.baseAddress! + offset).assumingMemoryBound(to: Atomic<Int64>.self)
    }
}
