/// A file of which only some bytes are here.
struct PresentBytes {
    let size: UInt64
    private let copy: (Range<UInt64>) -> [UInt8]?

    /// - Parameter copy: The bytes of a range below `size`; nil when one of them is not here.
    init(size: UInt64, copy: @escaping (Range<UInt64>) -> [UInt8]?) {
        self.size = size
        self.copy = copy
    }

    /// - Throws: `.malformed` when the range reaches beyond the end of the file.
    func bytes(_ range: Range<UInt64>) throws(LayoutFault) -> [UInt8] {
        guard range.upperBound <= size else { throw .malformed }
        guard let bytes = copy(range), bytes.count == range.count else { throw .absent }
        return bytes
    }
}

/// Reads a part of a file in order, a window at a time: what is in it may be many MiB.
struct ByteCursor {
    /// A block of a large content, which is here or not as a whole.
    private static let windowBytes = BlockGeometry.largeContentBlockBytes

    private let file: PresentBytes
    private let limit: UInt64
    /// From the start of the file. Invariant: not beyond `limit`.
    private(set) var position: UInt64
    private var window: [UInt8] = []
    private var windowStart: UInt64 = 0

    /// - Parameter range: What may be read; beyond the end of the file there is nothing.
    init(_ file: PresentBytes, _ range: Range<UInt64>) {
        self.file = file
        limit = min(range.upperBound, file.size)
        position = min(range.lowerBound, limit)
    }

    /// Bytes that are left.
    var rest: UInt64 { limit - position }

    mutating func byte() throws(LayoutFault) -> UInt8 {
        guard position < limit else { throw .malformed }
        if position < windowStart || position - windowStart >= window.count {
            let start = position / Self.windowBytes * Self.windowBytes
            window = try file.bytes(start..<min(start + Self.windowBytes, file.size))
            windowStart = start
        }
        defer { position += 1 }
        return window[Int(position - windowStart)]
    }

    /// A little-endian number.
    mutating func integer<Number: FixedWidthInteger & UnsignedInteger>(
        _ type: Number.Type
    ) throws(LayoutFault) -> Number {
        var value: Number = 0
        for index in 0..<MemoryLayout<Number>.size {
            let part = try byte()
            value |= Number(part) << (8 * index)
        }
        return value
    }

    /// Passes bytes over, which need not be here.
    mutating func skip(_ count: UInt64) throws(LayoutFault) {
        guard count <= rest else { throw .malformed }
        position += count
    }
}
