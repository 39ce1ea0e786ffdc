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
    let start = max(0, try file.byteCount() - bytesMax)
    let count = try file.readWhole(into: buffer, at: UInt64(start))
    return String(decoding: buffer[..<count], as: UTF8.self)
}

/// All of a file, or as much of it as `bytesMax`.
func readFile(_ path: String, bytesMax: Int) throws -> [UInt8] {
    let file = try FileDescriptor.open(FilePath(path), .readOnly, options: [.closeOnExec])
    defer { try? file.close() }
    let size = min(try file.byteCount(), bytesMax)
    var bytes = [UInt8](repeating: 0, count: size)
    let count = try bytes.withUnsafeMutableBytes { try file.readWhole(into: $0, at: 0) }
    return Array(bytes.prefix(count))
}

/// Writes a text to a file that exists, such as a switch of the kernel's.
func writeSmallFile(_ path: String, _ text: String) throws {
    let file = try FileDescriptor.open(FilePath(path), .writeOnly, options: [.closeOnExec])
    defer { try? file.close() }
    _ = try file.writeAll(text.utf8)
}
