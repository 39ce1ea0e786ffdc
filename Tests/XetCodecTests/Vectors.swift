import FoundationEssentials
import XetCodec

/// Rows of a file of vectors: what the official program makes of bytes that anybody can generate.
enum Vectors {
    /// The rows without the head, split at tabs.
    static func rows(_ name: String) throws -> [[String]] {
        let folder = String(#filePath.dropLast("Vectors.swift".count)) + "Vectors/"
        let bytes = try Data(contentsOf: URL(filePath: folder + name))
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").dropFirst().map {
            $0.split(separator: "\t").map(String.init)
        }
    }
}

/// What the official program sent, and what was made of it.
enum Samples {
    /// The files that it sent as one xorb and one shard.
    static let uploaded = [
        ["f32:2", "60000", "-"], ["sm:1", "50000", "-"], ["zero", "140000", "-"],
        ["text", "100", "-"], ["ctr", "120000", "-"],
    ]

    static func bytes(_ name: String) throws -> [UInt8] {
        let folder = String(#filePath.dropLast("Vectors.swift".count)) + "Samples/"
        return Array(try Data(contentsOf: URL(filePath: folder + name)))
    }
}

/// A file by the recipe in a row: a generator, its bytes, and an edit.
struct GeneratedFile: CustomStringConvertible {
    let generator: String
    let byteCount: Int
    let edit: String

    init(_ row: [String]) {
        (generator, byteCount, edit) = (row[0], Int(row[1])!, row[2])
    }

    var description: String { "\(generator) \(byteCount) \(edit)" }

    var bytes: [UInt8] {
        var bytes = generated
        let words = edit.split(separator: " ")
        guard words.count > 2 else { return bytes }
        let numbers = words.dropFirst().map { Int($0)! }
        let (place, count) = (numbers[0], numbers[1])
        switch words[0] {
        case "set":
            bytes.replaceSubrange(
                place..<place + count, with: repeatElement(UInt8(numbers[2]), count: count))
        case "ins":
            bytes.insert(
                contentsOf: repeatElement(UInt8(numbers[2]), count: count), at: place)
        case "del": bytes.removeSubrange(place..<place + count)
        default: preconditionFailure("no such edit: \(edit)")
        }
        return bytes
    }

    private var generated: [UInt8] {
        let parts = generator.split(separator: ":")
        switch parts[0] {
        case "sm":
            return words(SplitMix(state: UInt64(parts[1])!), byteCount: 8) { $0.next() }
        case "f32":
            return words(SplitMix(state: UInt64(parts[1])!), byteCount: 4) {
                0x3F80_0000 | $0.next() >> 41
            }
        case "ctr":
            return words(UInt64(0), byteCount: 4) { counter in
                defer { counter += 1 }
                return counter
            }
        case "zero": return [UInt8](repeating: 0, count: byteCount)
        case "ff": return [UInt8](repeating: 0xFF, count: byteCount)
        case "mod251": return (0..<byteCount).map { UInt8($0 % 251) }
        case "text":
            let line = Array("The quick brown fox jumps over the lazy dog 0123456789.\n".utf8)
            return (0..<byteCount).map { line[$0 % line.count] }
        default: preconditionFailure("no such generator: \(generator)")
        }
    }

    /// Little-endian words of so many bytes each, the last one cut.
    private func words<Source>(
        _ source: Source, byteCount width: Int, _ next: (inout Source) -> UInt64
    ) -> [UInt8] {
        var source = source
        let roomy = byteCount + 8
        return [UInt8](unsafeUninitializedCapacity: roomy) { buffer, filled in
            let bytes = UnsafeMutableRawBufferPointer(buffer)
            for place in stride(from: 0, to: byteCount, by: width) {
                bytes.storeBytes(
                    of: next(&source).littleEndian, toByteOffset: place, as: UInt64.self)
            }
            filled = byteCount
        }
    }
}

/// The generator of the vectors: SplitMix64.
struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
