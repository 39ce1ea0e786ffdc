import Glibc
import Platform
import SystemPackage

/// The text at the end of a file.
///
/// - Parameter bytesMax: What lies before the last so many bytes is left out.
func readSmallFile(_ path: String, bytesMax: Int = 65536) throws -> String {
    let file = try FileDescriptor.open(FilePath(path), .readOnly, options: [.closeOnExec])
    defer { try? file.close() }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bytesMax, alignment: 1)
    defer { buffer.deallocate() }
    let start = max(0, Int(try file.status().st_size) - bytesMax)
    let count = try file.readWhole(into: buffer, at: UInt64(start))
    return String(decoding: buffer[..<count], as: UTF8.self)
}

/// Writes a text to a file that exists, such as a switch of the kernel's.
func writeSmallFile(_ path: String, _ text: String) throws {
    let file = try FileDescriptor.open(FilePath(path), .writeOnly, options: [.closeOnExec])
    defer { try? file.close() }
    _ = try file.writeAll(text.utf8)
}
