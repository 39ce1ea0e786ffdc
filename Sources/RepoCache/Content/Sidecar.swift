import Glibc
import HubClient
import Platform
import Synchronization
import SystemPackage

/// The map beside a content file: which blocks are present, and their checksums.
///
/// Mapped shared by every process that uses the content; each sees at once what the others add.
/// All numbers are little-endian (docs/CACHE-FORMAT.md has the same table):
///
/// | offset | size | type | meaning |
/// |---|---|---|---|
/// | 0 | 8 | bytes | magic `hubfsmap` |
/// | 8 | 4 | u32 | format version, 1 |
/// | 12 | 4 | u32 | bytes of a block, 32768; 65536 when the content has no more |
/// | 16 | 8 | u64 | bytes of the content |
/// | 24 | 8 | u64, atomic | flags: 1 sealed, 2 dropped |
/// | 32 | 16 | bytes | boot id under which unsealed blocks were last known good |
/// | 48 | 8 | u64 | kind of the content's name: 1 git blob (sha1), 2 LFS (sha256) |
/// | 56 | 32 | bytes | digest, zero-padded |
/// | 88 | 40 | | zero |
/// | 128 | 8 × ⌈blocks / 64⌉ | u64, atomic | presence, block b is bit b % 64 of word b / 64 |
/// | behind it | 4 × blocks | u32, atomic | CRC-32C of each present block |
struct Sidecar: Sendable {
    static let magic: [UInt8] = Array("hubfsmap".utf8)
    static let version: UInt32 = 1
    static let headerBytes = 128

    private enum Offset {
        static let version = 8
        static let blockBytes = 12
        static let size = 16
        static let flags = 24
        static let bootID = 32
        static let kind = 48
        static let digest = 56
    }

    private enum Flag {
        static let sealed: UInt64 = 1
        static let dropped: UInt64 = 2
    }

    let geometry: BlockGeometry
    private let memory: MappedMemory
    private let wordCount: Int

    /// - Parameter memory: `byteCount(for: geometry)` bytes, either zeroed or a sidecar's.
    init(_ memory: MappedMemory, geometry: BlockGeometry) {
        precondition(memory.bytes.count >= Self.byteCount(for: geometry), "the sidecar is cut off")
        self.memory = memory
        self.geometry = geometry
        wordCount = Self.wordCount(for: geometry)
    }

    static func byteCount(for geometry: BlockGeometry) -> Int {
        headerBytes + 8 * wordCount(for: geometry) + 4 * geometry.blockCount
    }

    private static func wordCount(for geometry: BlockGeometry) -> Int {
        (geometry.blockCount + 63) / 64
    }

    /// The sidecar in a file whose content is not known beforehand; nil when the file is none.
    static func existing(
        in file: FileDescriptor
    ) throws(Errno) -> (sidecar: Sidecar, content: ContentID)? {
        let byteCount = Int(try file.status().st_size)
        guard byteCount >= headerBytes else { return nil }
        let memory = try MappedMemory(sharing: file, byteCount: byteCount)
        let bytes = memory.bytes
        let size = UInt64(
            littleEndian: bytes.loadUnaligned(fromByteOffset: Offset.size, as: UInt64.self))
        guard size < 1 << 50, Self.byteCount(for: BlockGeometry(size: size)) == byteCount else {
            return nil
        }
        let sidecar = Sidecar(memory, geometry: BlockGeometry(size: size))
        let digest = bytes[Offset.digest..<Offset.digest + 32]
        let kind = sidecar.load(UInt64.self, at: Offset.kind)
        guard let content = DigestBytes.content(ofKind: kind, from: digest),
            sidecar.describes(content)
        else { return nil }
        return (sidecar, content)
    }

    // MARK: Header

    /// Whether the header is that of `content` with this size, in a format known here.
    func describes(_ content: ContentID) -> Bool {
        let name = DigestBytes(content)
        return Array(memory.bytes.prefix(8)) == Self.magic
            && load(UInt32.self, at: Offset.version) == Self.version
            && load(UInt32.self, at: Offset.blockBytes) == UInt32(geometry.blockBytes)
            && load(UInt64.self, at: Offset.size) == geometry.size
            && load(UInt64.self, at: Offset.kind) == name.kind
            && Array(memory.bytes[Offset.digest..<Offset.digest + 32]) == name.padded
    }

    /// Makes this the sidecar of a content of which nothing is present. The magic comes last.
    func initialize(for content: ContentID, bootID: BootID) {
        let bytes = memory.bytes
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
        let name = DigestBytes(content)
        store(Self.version, at: Offset.version)
        store(UInt32(geometry.blockBytes), at: Offset.blockBytes)
        store(geometry.size, at: Offset.size)
        store(name.kind, at: Offset.kind)
        UnsafeMutableRawBufferPointer(rebasing: bytes[Offset.digest..<Offset.digest + 32])
            .copyBytes(from: name.padded)
        self.bootID = bootID
        atomicMemoryFence(ordering: .releasing)
        UnsafeMutableRawBufferPointer(rebasing: bytes[0..<8]).copyBytes(from: Self.magic)
    }

    var bootID: BootID {
        get { BootID(bytes: Array(memory.bytes[Offset.bootID..<Offset.bootID + 16])) }
        nonmutating set {
            UnsafeMutableRawBufferPointer(
                rebasing: memory.bytes[Offset.bootID..<Offset.bootID + 16]
            ).copyBytes(from: newValue.bytes)
        }
    }

    /// Whole, verified and synced.
    var isSealed: Bool { flags & Flag.sealed != 0 }
    /// Found to be wrong; no user of it may believe a byte.
    var isDropped: Bool { flags & Flag.dropped != 0 }

    func markSealed() {
        word(at: Offset.flags).pointee.bitwiseOr(Flag.sealed, ordering: .releasing)
    }
    func markDropped() {
        word(at: Offset.flags).pointee.bitwiseOr(Flag.dropped, ordering: .releasing)
    }

    /// Puts the sidecar on disk.
    func sync() throws(Errno) { try memory.sync() }

    private var flags: UInt64 { word(at: Offset.flags).pointee.load(ordering: .acquiring) }

    // MARK: Blocks

    func isPresent(_ block: Int) -> Bool {
        presence(block / 64) & (1 << UInt64(block % 64)) != 0
    }

    /// Whether all of `blocks` are present; true for none.
    func arePresent(_ blocks: Range<Int>) -> Bool { firstAbsent(in: blocks) == nil }

    func firstAbsent(in blocks: Range<Int>) -> Int? { first(in: blocks, present: false) }
    func firstPresent(in blocks: Range<Int>) -> Int? { first(in: blocks, present: true) }

    /// Blocks present, of all.
    var presentCount: Int {
        (0..<wordCount).reduce(0) { $0 + presence($1).nonzeroBitCount }
    }

    /// Bytes of all present blocks.
    var presentBytes: UInt64 {
        let full = UInt64(presentCount) * geometry.blockBytes
        guard geometry.blockCount > 0, isPresent(geometry.blockCount - 1) else { return full }
        let last = geometry.bytes(ofBlock: geometry.blockCount - 1)
        return full - geometry.blockBytes + UInt64(last.count)
    }

    /// Records a block whose bytes are in the file already. Release order: who sees the bit sees
    /// the checksum.
    func markPresent(_ block: Int, crc: UInt32) {
        crcPointer(block).pointee.store(crc, ordering: .relaxed)
        presencePointer(block / 64).pointee
            .bitwiseOr(1 << UInt64(block % 64), ordering: .releasing)
    }

    /// Records that a block's bytes cannot be believed.
    func markAbsent(_ block: Int) {
        presencePointer(block / 64).pointee
            .bitwiseAnd(~(1 << UInt64(block % 64)), ordering: .releasing)
    }

    /// The checksum a present block was stored with.
    func crc(_ block: Int) -> UInt32 { crcPointer(block).pointee.load(ordering: .relaxed) }

    private func first(in blocks: Range<Int>, present: Bool) -> Int? {
        var block = blocks.lowerBound
        while block < blocks.upperBound {
            let word = present ? presence(block / 64) : ~presence(block / 64)
            let rest = word >> UInt64(block % 64)
            guard rest == 0 else {
                let found = block + rest.trailingZeroBitCount
                return found < blocks.upperBound ? found : nil
            }
            block = (block / 64 + 1) * 64
        }
        return nil
    }

    private func presence(_ index: Int) -> UInt64 {
        presencePointer(index).pointee.load(ordering: .acquiring)
    }

    private func presencePointer(_ index: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
        word(at: Self.headerBytes + 8 * index)
    }

    private func crcPointer(_ block: Int) -> UnsafeMutablePointer<Atomic<UInt32>> {
        (memory.bytes.baseAddress! + Self.headerBytes + 8 * wordCount + 4 * block)
            .assumingMemoryBound(to: Atomic<UInt32>.self)
    }

    private func word(at offset: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
        (memory.bytes.baseAddress! + offset).assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    private func load<Number: FixedWidthInteger & BitwiseCopyable>(
        _ type: Number.Type, at offset: Int
    ) -> Number {
        Number(littleEndian: memory.bytes.loadUnaligned(fromByteOffset: offset, as: type))
    }

    private func store<Number: FixedWidthInteger & BitwiseCopyable>(
        _ value: Number, at offset: Int
    ) {
        memory.bytes.storeBytes(of: value.littleEndian, toByteOffset: offset, as: Number.self)
    }
}
