import Glibc
import SystemPackage

/// Names one run of the machine, from power-on to power-off: 16 bytes.
///
/// What a killed process left in the page cache is still there while this stays the same; after a
/// change only what was synced can be believed. Source: man 5 proc, random/boot_id.
package struct BootID: Hashable, Sendable {
    package let bytes: [UInt8]

    /// - Parameter bytes: 16 of them.
    package init(bytes: [UInt8]) {
        precondition(bytes.count == 16, "a boot id has 16 bytes")
        self.bytes = bytes
    }

    /// The machine's present boot id. Zero where the kernel does not tell, which then never differs:
    /// the same trust as without a power cut.
    package static let current: BootID = {
        let text = readText("/proc/sys/kernel/random/boot_id") ?? ""
        let digits = text.utf8.filter { $0 != UInt8(ascii: "-") }.prefix(32)
        var bytes = [UInt8](repeating: 0, count: 16)
        guard digits.count == 32 else { return BootID(bytes: bytes) }
        for (index, digit) in digits.enumerated() {
            guard let value = Character(UnicodeScalar(digit)).hexDigitValue else { break }
            bytes[index / 2] = bytes[index / 2] << 4 | UInt8(value)
        }
        return BootID(bytes: bytes)
    }()

    private static func readText(_ path: String) -> String? {
        guard let file = try? FileDescriptor.open(FilePath(path), .readOnly) else { return nil }
        defer { try? file.close() }
        let text = String(unsafeUninitializedCapacity: 64) { buffer in
            (try? file.readWhole(into: UnsafeMutableRawBufferPointer(buffer), at: 0)) ?? 0
        }
        return text
    }
}
