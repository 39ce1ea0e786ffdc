import ArgumentParser
import Platform
import SystemPackage
import XetCodec

/// Says how fast the codecs of Xet are, in seconds, on one thread. For `scripts/bench xet` alone.
@main
struct CodecBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "codecbench", abstract: "Time the codecs of Xet with the bytes of a file.",
        subcommands: [Hash.self, Pack.self])

    fileprivate static let pieceBytes = 8 << 20

    /// Reads a file piece by piece.
    fileprivate static func read(
        _ path: String, _ take: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let file = try FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec)
        defer { try? file.close() }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: pieceBytes, alignment: 64)
        defer { buffer.deallocate() }
        var offset: UInt64 = 0
        while true {
            let count = try file.readWhole(into: buffer, at: offset)
            if count == 0 { return }
            try take(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            offset += UInt64(count)
        }
    }

    fileprivate static func seconds(_ body: () throws -> Void) rethrows -> Double {
        let start = MonotonicInstant.now
        try body()
        return MonotonicInstant.now.seconds(since: start)
    }
}

extension CodecBench {
    struct Hash: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Cut a file into chunks and hash them and it.")

        @Argument var file: String

        func run() throws {
            var hasher = FileHasher()
            var hash = XetHash.zero
            let seconds = try CodecBench.seconds {
                try CodecBench.read(file) { hasher.update($0) }
                hash = hasher.finish()
            }
            print(#"{"hash": "\#(hash)", "seconds": \#(seconds)}"#)
        }
    }

    struct Pack: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Pack a file's chunks into xorbs, and unpack them again, one after the other."
        )

        @Argument var file: String

        func run() throws {
            var bytes: [UInt8] = []
            var hasher = FileHasher()
            try CodecBench.read(file) {
                bytes += $0
                hasher.update($0)
            }
            _ = hasher.finish()
            var packing = 0.0
            var unpacking = 0.0
            var packedCount = 0
            var start = 0
            var chunks = hasher.chunks[...]
            while !chunks.isEmpty {
                var writer = XorbWriter()
                packing += CodecBench.seconds {
                    bytes.withUnsafeBytes { bytes in
                        while let chunk = chunks.first {
                            let end = start + Int(chunk.byteCount)
                            let part = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
                            guard writer.append(part, hash: chunk.hash) else { return }
                            chunks.removeFirst()
                            start = end
                        }
                    }
                }
                packedCount += writer.bytes.count
                unpacking += try CodecBench.seconds { try unpack(writer) }
            }
            print(
                #"{"packing": \#(packing), "unpacking": \#(unpacking), "packed": \#(packedCount)}"#)
        }

        private func unpack(_ writer: XorbWriter) throws {
            let room = XorbStream.Room()
            var stream = XorbStream()
            var count = 0
            let target = UnsafeMutableRawBufferPointer.allocate(
                byteCount: Chunker.byteCountMax, alignment: 64)
            defer { target.deallocate() }
            _ = try writer.bytes.withUnsafeBytes { bytes in
                try stream.append(bytes, in: room) { chunk in
                    target.copyMemory(from: chunk)
                    count += chunk.count
                    return true
                }
            }
            precondition(count == writer.unpackedByteCount, "what was packed is unpacked")
        }
    }
}
