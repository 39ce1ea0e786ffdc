import Testing
import XetCodec

@Suite struct CRC64Tests {
    private func checksum(_ bytes: [UInt8]) -> UInt64 {
        var sum = CRC64()
        bytes.withUnsafeBytes { sum.update($0) }
        return sum.value
    }

    @Test func ofWhatTheSpecificationNames() {
        #expect(checksum(Array("123456789".utf8)) == 0xAE8B_1486_0A79_9888)
        #expect(checksum([]) == 0)
        #expect(checksum([UInt8](repeating: 0, count: 4096)) == 0x6482_D367_EB22_B64E)
        #expect(checksum([UInt8](repeating: 0xFF, count: 4096)) == 0xC0DD_BA73_02EC_A3AC)
    }

    /// What the official program sent beside the sample xorb.
    @Test func ofAnUpload() throws {
        #expect(checksum(try Samples.bytes("xorb-upload.bin")) == 10_809_644_400_636_178_699)
    }

    @Test func inPieces() throws {
        let bytes = try Samples.bytes("shard-upload.bin")
        for cut in 0...40 {
            var sum = CRC64()
            bytes[..<cut].withUnsafeBytes { sum.update($0) }
            bytes[cut...].withUnsafeBytes { sum.update($0) }
            #expect(sum.value == checksum(bytes))
        }
    }
}
