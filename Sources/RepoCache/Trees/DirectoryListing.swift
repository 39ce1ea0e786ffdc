package import HubClient

/// The entries of one directory, sorted by name, in one buffer of bytes.
///
/// The buffer is also what the database stores. Numbers are little-endian:
///
/// | offset | size | type | meaning |
/// |---|---|---|---|
/// | 0 | 4 | bytes | magic `hfdl` |
/// | 4 | 4 | u32 | format version: 2 with dates, 1 without |
/// | 8 | 4 | u32 | number of entries, n |
/// | 12 | 4 | | zero |
/// | 16 | 48 × n | records | sorted by the bytes of their names |
/// | behind | 8 × n | i64 | with dates: when each was changed, nanoseconds since 1970; the least number where that is not known |
/// | behind | | bytes | names, UTF-8, one behind the other |
///
/// | offset in record | size | type | meaning |
/// |---|---|---|---|
/// | 0 | 4 | u32 | where the name starts, from the first name |
/// | 4 | 2 | u16 | bytes of the name |
/// | 6 | 1 | u8 | kind: 0 directory, 1 file in git, 2 file in LFS, 3 file of a bucket |
/// | 7 | 1 | | zero |
/// | 8 | 8 | u64 | bytes of the file; 0 for a directory |
/// | 16 | 32 | bytes | tree oid, blob oid, sha256 or Xet hash, zero-padded |
package struct DirectoryListing: Sendable {
    /// Name of an entry and what it is.
    package struct Entry: Hashable, Sendable {
        package let name: String
        package let kind: TreeEntry.Kind
        /// See `modifiedNanoseconds(at:)`.
        package let modifiedNanoseconds: Int64?
    }

    static let magic: [UInt8] = Array("hfdl".utf8)
    static let version: UInt32 = 1
    static let datedVersion: UInt32 = 2
    static let headerBytes = 16
    static let recordBytes = 48
    private static let dateBytes = 8
    private static let noDate = Int64.min

    private enum KindCode {
        static let directory: UInt8 = 0
        static let git: UInt8 = 1
        static let lfs: UInt8 = 2
        static let xet: UInt8 = 3
    }

    /// Number of entries.
    package let count: Int
    /// The buffer, in the format above.
    let bytes: [UInt8]
    private let isDated: Bool

    /// Takes the entries of one directory in any order; of two with the same name one stays.
    ///
    /// Sorts places rather than names, so that a hundred thousand entries cost little more than
    /// their buffer.
    ///
    /// - Parameter children: Entries whose paths differ in their last part only.
    /// - Returns: nil when a name is longer than 65535 bytes or empty.
    package init?(_ children: [TreeEntry]) {
        let path = children.first?.path.utf8 ?? "".utf8
        let directoryBytes = path.lastIndex(of: UInt8(ascii: "/")).map {
            path.distance(from: path.startIndex, to: $0) + 1
        }
        func name(_ place: Int) -> Substring.UTF8View {
            children[place].path.utf8.dropFirst(directoryBytes ?? 0)
        }
        guard children.indices.allSatisfy({ (1...Int(UInt16.max)).contains(name($0).count) }) else {
            return nil
        }
        var order = Array(children.indices)
        order.sort { name($0).lexicographicallyPrecedes(name($1)) }
        var previous: Int?
        order.removeAll { place in
            defer { previous = place }
            return previous.map { name($0).elementsEqual(name(place)) } ?? false
        }
        count = order.count
        isDated = children.contains { $0.modifiedNanoseconds != nil }
        bytes = Self.encode(order.lazy.map { (name($0), children[$0]) }, isDated: isDated)
    }

    /// Takes a stored buffer.
    ///
    /// - Returns: nil when it is not in the format above, or points outside of itself.
    package init?(stored bytes: [UInt8]) {
        guard bytes.count >= Self.headerBytes, Array(bytes.prefix(4)) == Self.magic else {
            return nil
        }
        self.bytes = bytes
        count = Int(Self.load(UInt32.self, bytes, 8))
        let version = Self.load(UInt32.self, bytes, 4)
        isDated = version == Self.datedVersion
        guard isDated || version == Self.version, namesStart <= bytes.count,
            (0..<count).allSatisfy({ nameRange($0).upperBound <= bytes.count })
        else { return nil }
    }

    /// The entry at a place in the order of names, `0..<count`.
    package func entry(at index: Int) -> Entry {
        Entry(
            name: name(at: index), kind: kind(at: index),
            modifiedNanoseconds: modifiedNanoseconds(at: index))
    }

    package func name(at index: Int) -> String {
        String(decoding: bytes[nameRange(index)], as: UTF8.self)
    }

    /// Calls `body` with the bytes of a name, without making a string.
    package func withName<Result>(
        at index: Int, _ body: (UnsafeRawBufferPointer) -> Result
    ) -> Result {
        bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[nameRange(index)])) }
    }

    package func kind(at index: Int) -> TreeEntry.Kind {
        let record = Self.headerBytes + Self.recordBytes * index
        let digest = bytes[record + 16..<record + 48]
        let size = Self.load(UInt64.self, bytes, record + 8)
        return switch bytes[record + 6] {
        case KindCode.directory: .directory(DigestBytes.identity(TreeOID.self, from: digest))
        case KindCode.git: .file(.git(DigestBytes.identity(BlobOID.self, from: digest)), size: size)
        case KindCode.xet: .file(.xet(DigestBytes.identity(XetOID.self, from: digest)), size: size)
        default: .file(.lfs(DigestBytes.identity(LFSOID.self, from: digest)), size: size)
        }
    }

    /// When an entry was changed, in nanoseconds since 1970; nil where that is not listed.
    package func modifiedNanoseconds(at index: Int) -> Int64? {
        guard isDated else { return nil }
        let date = Self.load(Int64.self, bytes, datesStart + Self.dateBytes * index)
        return date == Self.noDate ? nil : date
    }

    /// Bytes of a file, nil for a directory.
    func fileSize(at index: Int) -> UInt64? {
        let record = Self.headerBytes + Self.recordBytes * index
        guard bytes[record + 6] != KindCode.directory else { return nil }
        return Self.load(UInt64.self, bytes, record + 8)
    }

    /// The place of a name, nil when the directory has no such entry.
    package func index(of name: some StringProtocol) -> Int? {
        Array(name.utf8).withUnsafeBytes { index(ofName: $0) }
    }

    /// The place of a name given as bytes.
    package func index(ofName name: UnsafeRawBufferPointer) -> Int? {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            let precedes = withName(at: middle) { $0.lexicographicallyPrecedes(name) }
            if precedes { low = middle + 1 } else { high = middle }
        }
        guard low < count, withName(at: low, { $0.elementsEqual(name) }) else { return nil }
        return low
    }

    /// Bytes of all files of the directory itself, not of those below it.
    package var fileBytes: UInt64 {
        (0..<count).reduce(0) { sum, index in
            sum &+ Self.load(UInt64.self, bytes, Self.headerBytes + Self.recordBytes * index + 8)
        }
    }

    private var datesStart: Int { Self.headerBytes + Self.recordBytes * count }
    private var namesStart: Int { datesStart + (isDated ? Self.dateBytes * count : 0) }

    private func nameRange(_ index: Int) -> Range<Int> {
        let record = Self.headerBytes + Self.recordBytes * index
        let start = namesStart + Int(Self.load(UInt32.self, bytes, record))
        return start..<start + Int(Self.load(UInt16.self, bytes, record + 4))
    }

    /// - Parameter entries: Sorted by name, each name once.
    private static func encode(
        _ entries: some Collection<(name: Substring.UTF8View, entry: TreeEntry)>, isDated: Bool
    ) -> [UInt8] {
        let namesBytes = entries.reduce(0) { $0 + $1.name.count }
        let entryBytes = recordBytes + (isDated ? dateBytes : 0)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(headerBytes + entryBytes * entries.count + namesBytes)
        bytes += magic
        append(isDated ? datedVersion : version, to: &bytes)
        append(UInt32(entries.count), to: &bytes)
        append(UInt32(0), to: &bytes)
        var nameStart: UInt32 = 0
        for (name, entry) in entries {
            append(nameStart, to: &bytes)
            append(UInt16(name.count), to: &bytes)
            let (code, size, digest) = fields(of: entry.kind)
            bytes += [code, 0]
            append(size, to: &bytes)
            bytes += digest
            nameStart += UInt32(name.count)
        }
        if isDated {
            for (_, entry) in entries { append(entry.modifiedNanoseconds ?? noDate, to: &bytes) }
        }
        for (name, _) in entries { bytes += name }
        return bytes
    }

    private static func fields(of kind: TreeEntry.Kind) -> (UInt8, UInt64, [UInt8]) {
        switch kind {
        case .directory(let oid): (KindCode.directory, 0, DigestBytes.padded(oid))
        case .file(let content, let size):
            (UInt8(DigestBytes(content).kind), size, DigestBytes(content).padded)
        }
    }

    private static func append(_ number: some FixedWidthInteger, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: number.littleEndian) { bytes += $0 }
    }

    private static func load<Number: FixedWidthInteger & BitwiseCopyable>(
        _ type: Number.Type, _ bytes: [UInt8], _ offset: Int
    ) -> Number {
        bytes.withUnsafeBytes {
            Number(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: type))
        }
    }
}
