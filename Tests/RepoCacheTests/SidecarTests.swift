import HubClient
import Platform
import Testing
import TestSupport

@testable import RepoCache

@Suite struct SidecarTests {
    private static let content = ContentID.lfs(
        LFSOID(hex: "00010203" + String(repeating: "ab", count: 28))!)

    private func make(size: UInt64) throws -> (Sidecar, MappedMemory) {
        let geometry = BlockGeometry(size: size)
        let memory = try MappedMemory(privateByteCount: Sidecar.byteCount(for: geometry))
        let sidecar = Sidecar(memory, geometry: geometry)
        sidecar.initialize(for: Self.content, bootID: BootID(bytes: Array(1...16)))
        return (sidecar, memory)
    }

    /// The byte table of docs/CACHE-FORMAT.md.
    @Test func theLayoutIsAsDocumented() throws {
        let (sidecar, memory) = try make(size: 70 * 32768 + 1)
        sidecar.markPresent(65, crc: 0x0A0B_0C0D)
        sidecar.markSealed()
        sidecar.markDropped()
        let bytes = Array(memory.bytes)
        #expect(bytes.count == 128 + 2 * 8 + 71 * 4)
        #expect(Array(bytes[0..<8]) == Array("hubfsmap".utf8))
        #expect(Array(bytes[8..<16]) == [1, 0, 0, 0, 0, 128, 0, 0])
        #expect(Array(bytes[16..<24]) == [1, 0, 35, 0, 0, 0, 0, 0])
        #expect(Array(bytes[24..<32]) == [3, 0, 0, 0, 0, 0, 0, 0])
        #expect(Array(bytes[32..<48]) == Array(1...16))
        #expect(Array(bytes[48..<56]) == [2, 0, 0, 0, 0, 0, 0, 0])
        #expect(Array(bytes[56..<60]) == [0, 1, 2, 3])
        #expect(bytes[60..<88].allSatisfy { $0 == 0xAB })
        #expect(bytes[88..<136].allSatisfy { $0 == 0 })
        #expect(Array(bytes[136..<144]) == [2, 0, 0, 0, 0, 0, 0, 0])
        let crc = 144 + 65 * 4
        #expect(Array(bytes[crc..<crc + 4]) == [0x0D, 0x0C, 0x0B, 0x0A])
        #expect(
            bytes[144..<crc].allSatisfy { $0 == 0 } && bytes[(crc + 4)...].allSatisfy { $0 == 0 })
    }

    @Test func anotherContentOrSizeIsNotDescribed() throws {
        let (sidecar, memory) = try make(size: 100_000)
        #expect(sidecar.describes(Self.content))
        #expect(!sidecar.describes(.lfs(LFSOID(hex: String(repeating: "0", count: 64))!)))
        for offset in [0, 8, 12, 16, 48, 56] {
            memory.bytes[offset] ^= 1
            #expect(!sidecar.describes(Self.content), "byte \(offset)")
            memory.bytes[offset] ^= 1
        }
        #expect(sidecar.describes(Self.content))
    }

    @Test func theNextPresentAndAbsentBlockIsFoundFromAnywhere() throws {
        let (sidecar, _) = try make(size: 200 * 32768)
        let present: Set<Int> = [0, 1, 5, 63, 64, 127, 130, 199]
        for block in present { sidecar.markPresent(block, crc: 1) }
        for start in 0...200 {
            for end in start...200 {
                let blocks = start..<end
                #expect(sidecar.firstPresent(in: blocks) == blocks.first { present.contains($0) })
                #expect(sidecar.firstAbsent(in: blocks) == blocks.first { !present.contains($0) })
            }
        }
        #expect(sidecar.presentCount == present.count)
        #expect(sidecar.presentBytes == UInt64(present.count) * 32768)
        sidecar.markAbsent(64)
        #expect(!sidecar.isPresent(64) && sidecar.isPresent(63))
    }
}
