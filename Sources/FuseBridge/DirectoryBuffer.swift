import CFuse
import Glibc

/// The answer to one readdir or readdirplus, filled entry by entry until it is full.
package struct DirectoryBuffer: ~Copyable {
    /// True for readdirplus: each entry brings the node's attributes, and counts as a lookup.
    package let carriesEntries: Bool
    private let storage: UnsafeMutableRawBufferPointer
    private var used = 0
    /// Whose numbers the entries have.
    private var numbers = PartNumbers.whole

    /// What the kernel takes at most.
    package var byteCountMax: Int { storage.count }

    /// - Parameter storage: As large as the kernel asked for; stays valid while the buffer lives.
    package init(carriesEntries: Bool, storage: UnsafeMutableRawBufferPointer) {
        self.carriesEntries = carriesEntries
        self.storage = storage
    }

    /// The same buffer for a part of the file system, which fills it in numbers of its own. Nothing may
    /// have been added.
    package consuming func handed(to part: PartNumbers) -> DirectoryBuffer {
        var buffer = DirectoryBuffer(carriesEntries: carriesEntries, storage: storage)
        buffer.numbers = part
        return buffer
    }

    /// Adds a name, its `st_ino` and type. The kernel takes no node from it, in a readdirplus
    /// either: `.` and `..`, and names that may have changed since they were listed.
    ///
    /// - Parameter nextOffset: Where a later readdir goes on after this entry.
    /// - Returns: false when it does not fit any more; the buffer is unchanged.
    package mutating func add(
        _ name: borrowing [CChar], inodeNumber: UInt64, kind: NodeKind, nextOffset: UInt64
    ) -> Bool {
        var parameters = fuse_entry_param()
        parameters.attr.st_ino = ino_t(inodeNumber)
        parameters.attr.st_mode = kind.modeBits
        let room = storage.count - used
        let size =
            carriesEntries
            ? fuse_add_direntry_plus(nil, tail, room, name, &parameters, off_t(nextOffset))
            : fuse_add_direntry(nil, tail, room, name, &parameters.attr, off_t(nextOffset))
        return take(size, of: room)
    }

    /// Adds a name with everything a lookup would answer.
    package mutating func add(
        _ name: borrowing [CChar], _ entry: Entry, nextOffset: UInt64
    ) -> Bool {
        var parameters = numbers.outside(entry).parameters
        let room = storage.count - used
        let size = fuse_add_direntry_plus(nil, tail, room, name, &parameters, off_t(nextOffset))
        return take(size, of: room)
    }

    /// Adds `.` or `..`.
    package mutating func addDot(
        _ name: borrowing [CChar], inodeNumber: UInt64, nextOffset: UInt64
    ) -> Bool {
        add(name, inodeNumber: inodeNumber, kind: .directory, nextOffset: nextOffset)
    }

    /// What has been filled so far.
    package var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: storage[..<used])
    }

    private var tail: UnsafeMutablePointer<CChar>? {
        (storage.baseAddress! + used).assumingMemoryBound(to: CChar.self)
    }

    private mutating func take(_ size: Int, of room: Int) -> Bool {
        guard size <= room else { return false }
        used += size
        return true
    }
}

extension Entry {
    /// The entry in libfuse's form.
    var parameters: fuse_entry_param {
        var parameters = fuse_entry_param()
        parameters.ino = fuse_ino_t(node.number)
        parameters.generation = generation
        parameters.attr = attributes.status
        parameters.attr_timeout = cacheTime.seconds
        parameters.entry_timeout = cacheTime.seconds
        return parameters
    }
}
