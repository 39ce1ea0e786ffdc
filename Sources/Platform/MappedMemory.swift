import Glibc
package import SystemPackage

/// Memory mapped by `mmap`, writable, given back at `deinit`.
///
/// A mapping of a file that somebody shortens ends the process with SIGBUS when a page beyond its
/// end is touched, and so does a store into a hole on a full disk: map only files of our own, and
/// allocate their bytes first (`FileDescriptor.allocate`).
///
/// `@unchecked Sendable`: the address and length never change; what is stored there is the
/// business of the owner, who uses atomics.
package final class MappedMemory: @unchecked Sendable {
    package let bytes: UnsafeMutableRawBufferPointer

    /// Maps the first `byteCount` bytes of a file, shared with every process that maps it.
    ///
    /// - Throws: the `Errno` of man 2 mmap.
    package init(sharing file: FileDescriptor, byteCount: Int) throws(Errno) {
        bytes = try Self.map(byteCount, MAP_SHARED, file.rawValue)
    }

    /// Makes `byteCount` zeroed bytes that belong to this process alone.
    package init(privateByteCount byteCount: Int) throws(Errno) {
        bytes = try Self.map(byteCount, MAP_PRIVATE | MAP_ANONYMOUS, -1)
    }

    deinit {
        munmap(bytes.baseAddress, bytes.count)
    }

    /// Puts the mapped bytes of a file on disk. Source: man 2 msync.
    package func sync() throws(Errno) {
        try check { Int(msync(bytes.baseAddress, bytes.count, MS_SYNC)) }
    }

    private static func map(
        _ byteCount: Int, _ flags: Int32, _ file: Int32
    ) throws(Errno) -> UnsafeMutableRawBufferPointer {
        let address = mmap(nil, byteCount, PROT_READ | PROT_WRITE, flags, file, 0)
        guard let address, address != MAP_FAILED else { throw Errno(rawValue: errno) }
        return UnsafeMutableRawBufferPointer(start: address, count: byteCount)
    }
}
