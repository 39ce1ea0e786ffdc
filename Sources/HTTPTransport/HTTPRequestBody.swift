import Platform
package import SystemPackage

/// What a request sends after its head.
package enum HTTPRequestBody: Sendable {
    /// For small bodies.
    case bytes([UInt8])
    /// A range of an open file, read piece by piece as it is sent. The descriptor is borrowed: it
    /// must stay open until the receiver was told the end, and the bytes must not change.
    case file(FileDescriptor, Range<UInt64>)

    /// Its length in bytes.
    package var byteCount: UInt64 {
        switch self {
        case .bytes(let bytes): UInt64(bytes.count)
        case .file(_, let range): UInt64(range.count)
        }
    }
}

/// Reads a body as libcurl asks for it, from its beginning again when libcurl starts over.
struct BodyReader {
    /// Why a body cannot be read.
    struct Unreadable: Error {
        let reason: String
    }

    private let body: HTTPRequestBody
    let byteCount: UInt64
    /// The next byte to read, from the beginning of the body.
    private(set) var offset: UInt64 = 0

    init(_ body: HTTPRequestBody) {
        self.body = body
        byteCount = body.byteCount
    }

    /// - Returns: how many bytes were put into `buffer`: 0 at the end of the body alone.
    mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws(Unreadable) -> Int {
        let count = Int(min(UInt64(buffer.count), byteCount - offset))
        let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
        switch body {
        case .bytes(let bytes): piece.copyBytes(from: bytes[Int(offset)..<Int(offset) + count])
        case .file(let file, let range):
            try Self.read(file, at: range.lowerBound + offset, into: piece)
        }
        offset += UInt64(count)
        return count
    }

    /// - Returns: false when there is no such place in the body.
    mutating func seek(to place: Int) -> Bool {
        guard place >= 0, UInt64(place) <= byteCount else { return false }
        offset = UInt64(place)
        return true
    }

    private static func read(
        _ file: FileDescriptor, at offset: UInt64, into piece: UnsafeMutableRawBufferPointer
    ) throws(Unreadable) {
        let count: Int
        do throws(Errno) {
            count = try file.readWhole(into: piece, at: offset)
        } catch {
            throw Unreadable(reason: error.description)
        }
        guard count == piece.count else {
            throw Unreadable(reason: "the file ends at byte \(offset + UInt64(count))")
        }
    }
}
