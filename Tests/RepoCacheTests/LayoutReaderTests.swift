import Testing

@testable import RepoCache

@Suite struct LayoutReaderTests {
    // MARK: safetensors

    @Test func safetensorsCountFromTheEndOfTheHeader() throws {
        let header = safetensors([(0, 100), (300, 400), (100, 300)])
        let start = UInt64(header.count)
        let found = try layout(SafetensorsHeader(), beginning: header, size: start + 400)
        #expect(found == PartLayout(dataStart: start, ends: [100, 300, 400].map { start + $0 }))
        // One more than the file has.
        #expect(
            try layout(SafetensorsHeader(), beginning: header, size: start + 399) == nil)
    }

    @Test func aHeaderOfSafetensorsThatIsNotHereYetIsWaitedFor() throws {
        let header = safetensors((0..<2000).map { (begin: $0, end: $0 + 1) })
        let size = UInt64(header.count + 2000)
        for blockCount in [0, 1] {
            #expect(throws: LayoutFault.absent) {
                try layout(
                    SafetensorsHeader(), beginning: header, size: size, blockCount: blockCount)
            }
        }
        #expect(try layout(SafetensorsHeader(), beginning: header, size: size) != nil)
    }

    @Test(arguments: ["", "[]", "{\"a\":1}", "{\"a\":{\"data_offsets\":[1]}}", "{\"a\":{}}", "{"])
    func whatIsNoHeaderIsRefused(_ text: String) throws {
        #expect(try layout(SafetensorsHeader(), beginning: safetensors(text)) == nil)
    }

    @Test(arguments: [
        [0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0x7f], [1, 0, 0x10, 0, 0, 0, 0, 0],
        [1, 2, 3],
    ])
    func aLengthBeyondReasonIsNoHeader(_ length: [UInt8]) throws {
        let size: UInt64? = length.count == 8 ? 1 << 40 : nil
        #expect(try layout(SafetensorsHeader(), beginning: length, size: size) == nil)
    }

    // MARK: GGUF

    @Test(arguments: [2, 3] as [UInt32])
    func aTensorOfGGUFEndsWhereTheNextBegins(version: UInt32) throws {
        var sample = GGUFSample(version: version)
        sample.addEveryKind()
        sample.offsets = [0, 5056, 4096]
        let start = UInt64((sample.bytes.count + 31) / 32 * 32)
        let found = try layout(GGUFHeader(), beginning: sample.bytes, size: start + 10_000)
        #expect(
            found
                == PartLayout(
                    dataStart: start, ends: [start + 4096, start + 5056, start + 10_000]))
    }

    @Test func theAlignmentOfGGUFIsObeyed() throws {
        var sample = GGUFSample()
        sample.add("general.alignment", kind: 4, little(UInt32(4096)))
        sample.offsets = [0]
        let found = try layout(GGUFHeader(), beginning: sample.bytes, size: 9000)
        #expect(found == PartLayout(dataStart: 4096, ends: [9000]))
        sample.pairs = []
        sample.add("general.alignment", kind: 4, little(UInt32(0)))
        #expect(try layout(GGUFHeader(), beginning: sample.bytes, size: 9000) == nil)
    }

    /// As a stream brings it: each byte is asked for once, whatever is in the way of a block's end.
    @Test func aLongHeaderOfGGUFIsReadAsItComes() throws {
        var sample = GGUFSample()
        sample.add(words: (0..<60_000).map { "word \($0)" })
        sample.offsets = (0..<5000).map { $0 * 64 }
        let header = sample.bytes
        let size = UInt64(header.count + 5000 * 64 + 64)
        let block = Int(BlockGeometry.largeContentBlockBytes)
        let blockCount = (header.count + block - 1) / block
        #expect(blockCount > 15)

        var reader = GGUFHeader()
        var copied = 0
        var found: PartLayout?
        for present in 1...blockCount {
            do throws(LayoutFault) {
                found = try reader.read(
                    PresentBytes(size: size) { range in
                        guard range.upperBound <= present * block else { return nil }
                        copied += range.count
                        return (Int(range.lowerBound)..<Int(range.upperBound)).map {
                            $0 < header.count ? header[$0] : 0
                        }
                    })
            } catch {
                #expect(error == .absent && present < blockCount)
            }
        }
        #expect(found == (try layout(GGUFHeader(), beginning: header, size: size)))
        #expect(found?.ends.count == 5000)
        // A thing that is cut by a block's end is begun anew with the next one.
        #expect(copied <= 2 * blockCount * block)
    }

    @Test func whatIsNotGGUFIsRefused() throws {
        var sample = GGUFSample()
        sample.offsets = [0, 64]
        let right = sample.bytes
        func isRefused(_ bytes: [UInt8], size: UInt64 = 1 << 40) throws -> Bool {
            try layout(GGUFHeader(), beginning: bytes, size: size) == nil
        }
        #expect(try !isRefused(right))
        // A tensor behind the end of the file.
        #expect(try isRefused(right, size: UInt64(right.count)))
        #expect(try isRefused(GGUFSample(version: 1, offsets: [0]).bytes))
        #expect(try isRefused(GGUFSample(version: 0x0300_0000, offsets: [0]).bytes))
        #expect(try isRefused(GGUFSample().bytes))
        #expect(try isRefused(Array("GGUX".utf8) + right[4...]))
        let many = little(UInt64.max)
        #expect(try isRefused(right[..<8] + many + little(UInt64(0))))
        #expect(try isRefused(right[..<16] + many))
        // Arrays that are longer than any file, one of arrays, one of no type.
        let arrays: [(kind: UInt32, count: UInt64)] = [(12, .max), (0, .max), (9, 1), (99, 1)]
        for array in arrays {
            var sample = GGUFSample(offsets: [0])
            sample.add("array", kind: 9, little(array.kind) + little(array.count))
            #expect(try isRefused(sample.bytes))
        }
    }

    // MARK: Parquet

    @Test(arguments: [0, 10] as [UInt64])
    func chunksOfParquetAreFound(dictionaryBytes: UInt64) throws {
        let sample = ParquetSample(
            groups: [[4..<1000, 1000..<5000], [5000..<5100, 5100..<9000]], dataBytes: 9000,
            dictionaryBytes: dictionaryBytes)
        let found = try layout(ParquetFooter(), beginning: sample.bytes)
        #expect(found == PartLayout(dataStart: 4, ends: [1000, 5000, 5100, 9000]))
    }

    @Test func aTableOfManyColumnsIsFound() throws {
        let starts = (0..<1000).map { UInt64(4 + $0 * 20) }
        let chunks = starts.map { $0..<$0 + 20 }
        let sample = ParquetSample(groups: [chunks], dataBytes: 20_004)
        let found = try layout(ParquetFooter(), beginning: sample.bytes)
        #expect(found?.ends.count == 1000)
    }

    @Test func whatIsNotParquetIsRefused() throws {
        let sample = ParquetSample(groups: [[4..<100]], dataBytes: 100)
        let right = sample.bytes
        #expect(try layout(ParquetFooter(), beginning: right) != nil)
        // An encrypted footer, one longer than the file, a chunk that reaches into it, no chunk.
        #expect(
            try layout(ParquetFooter(), beginning: Array(right.dropLast(4)) + Array("PARE".utf8))
                == nil)
        let long = Array(right.dropLast(8)) + little(UInt32(right.count)) + Array("PAR1".utf8)
        #expect(try layout(ParquetFooter(), beginning: long) == nil)
        let beyond = ParquetSample(groups: [[4..<101]], dataBytes: 100)
        #expect(try layout(ParquetFooter(), beginning: beyond.bytes) == nil)
        #expect(
            try layout(ParquetFooter(), beginning: ParquetSample(groups: [], dataBytes: 9).bytes)
                == nil)
        for bytes in [[], Array("PAR1".utf8), Array(right.suffix(8))] {
            #expect(try layout(ParquetFooter(), beginning: bytes) == nil)
        }
    }

    @Test func structuresWithinEachOtherHaveALimit() throws {
        // Field 1, a structure, again and again.
        let deep = [UInt8](repeating: 0x1c, count: 100_000)
        let bytes = deep + little(UInt32(deep.count)) + Array("PAR1".utf8)
        #expect(try layout(ParquetFooter(), beginning: bytes) == nil)
    }

    // MARK: Anything

    /// Bytes that were changed, cut or made up: a layout or none, within the file, and no trap.
    @Test(arguments: 0..<40)
    func anyBytesAreSurvived(seed: Int) throws {
        var random = SplitMix(state: UInt64(seed))
        var model = GGUFSample(offsets: [0, 64, 4096])
        model.addEveryKind()
        let table = ParquetSample(groups: [[4..<100, 100..<300], [300..<400]], dataBytes: 400)
        let samples: [(any LayoutReader, [UInt8])] = [
            (GGUFHeader(), model.bytes + [UInt8](repeating: 0, count: 5000)),
            (ParquetFooter(), table.bytes),
            (SafetensorsHeader(), safetensors([(0, 10), (10, 30)])),
        ]
        for (reader, bytes) in samples {
            for _ in 0..<300 {
                let mutated = mutate(bytes, &random)
                let found = try layout(reader, beginning: mutated)
                #expect(found?.ends.allSatisfy { $0 <= mutated.count } ?? true)
            }
        }
    }

    private func mutate(_ bytes: [UInt8], _ random: inout SplitMix) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...6, using: &random) where !bytes.isEmpty {
            let index = bytes.indices.randomElement(using: &random)!
            switch Int.random(in: 0..<10, using: &random) {
            case 0: bytes.removeSubrange(index...)
            case 1: bytes.removeSubrange(..<index)
            case 2: bytes.remove(at: index)
            case 3: bytes.insert(.random(in: 0...255, using: &random), at: index)
            case 4: bytes[index] = 0xff
            case 5: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            default: bytes[index] = .random(in: 0...255, using: &random)
            }
        }
        return bytes
    }
}
