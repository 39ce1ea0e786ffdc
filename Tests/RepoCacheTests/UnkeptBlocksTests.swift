import Platform
import Testing

@testable import RepoCache

/// What streams may fetch ahead into memory. Blocks are of 10 bytes, the budget is 100.
@Suite struct UnkeptBlocksTests {
    private let blocks = UnkeptBlocks(byteCountMax: 100)
    private let bytes = [UInt8](repeating: 7, count: 10)

    private func key(_ block: Int) -> UnkeptBlocks.Key { UnkeptBlocks.Key(owner: 1, block: block) }

    private func come(_ block: Int, at now: MonotonicInstant = .start) {
        bytes.withUnsafeBytes { blocks.insert($0, for: key(block), fetchedAheadAt: now) }
    }

    private func read(_ block: Int) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 10)
        return buffer.withUnsafeMutableBytes { blocks.read(key(block), from: 0, into: $0) }
    }

    private func claim(_ reader: Int, _ range: Range<Int>) -> UnkeptBlocks.Room {
        blocks.claim(
            UnkeptBlocks.Claimant(owner: 1, reader: reader), blocks: range,
            byteCount: 10 * range.count, onGranted: nil)
    }

    @Test func halfOfTheBudgetIsForWhatIsAheadOfItsReader() {
        #expect(blocks.takeAhead(50, now: .start))
        #expect(!blocks.takeAhead(1, now: .start))
        for block in 0..<5 { come(block) }
        blocks.endAhead(50)
        #expect(!blocks.takeAhead(1, now: .start))
        #expect(read(0))
        #expect(blocks.takeAhead(10, now: .start))
        #expect(!blocks.takeAhead(1, now: .start))
    }

    @Test func whatReadersClaimComesFirst() {
        #expect(claim(1, 100..<105) == .granted)
        #expect(!blocks.takeAhead(10, now: .start))
        blocks.release(UnkeptBlocks.Claimant(owner: 1, reader: 1))
        #expect(blocks.takeAhead(20, now: .start))
        come(0)
        come(1)
        blocks.endAhead(20)
        // All of the budget: what was fetched ahead goes.
        #expect(claim(2, 100..<110) == .granted)
        #expect(!blocks.contains(key(0)) && !blocks.contains(key(1)))
    }

    @Test func whatWasReadGoesBeforeWhatWasNot() {
        for block in 0..<4 { come(block) }
        #expect(claim(1, 2..<3) == .granted)
        blocks.release(UnkeptBlocks.Claimant(owner: 1, reader: 1))
        #expect(claim(2, 100..<107) == .granted)
        #expect((0..<4).filter { blocks.contains(key($0)) } == [0, 1, 3])
    }

    @Test func whatIsNotReadForLongMakesRoom() {
        #expect(blocks.takeAhead(50, now: .start))
        for block in 0..<5 { come(block) }
        blocks.endAhead(50)
        let later = MonotonicInstant.start.advanced(bySeconds: UnkeptBlocks.staleSeconds + 1)
        #expect(blocks.takeAhead(50, now: later))
        #expect(blocks.byteCount == 0)
    }

    @Test func aContentThatIsClosedLeavesNothing() {
        for block in 0..<5 { come(block) }
        blocks.removeAll(of: 1)
        #expect(blocks.byteCount == 0)
        #expect(blocks.takeAhead(50, now: .start))
    }
}
