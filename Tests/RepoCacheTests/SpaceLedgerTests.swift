import Platform
import Synchronization
import SystemPackage
import Testing
import TestSupport

@testable import RepoCache

/// What is used is counted before it is written, by all processes together.
@Suite(.timeLimit(.minutes(5)))
struct SpaceLedgerTests {
    private static let page: UInt64 = 4096

    private func ledger(
        in folder: ScratchFolder, limit: UInt64, floor: UInt64 = 0,
        available: @escaping @Sendable () -> UInt64? = { 1 << 40 }
    ) throws -> SpaceLedger {
        SpaceLedger(
            limitBytes: limit, floorBytes: floor, logBytesMax: 0,
            count: try SharedCount(in: try CacheFolder(folder.path)) { 0 },
            availableBytes: available)
    }

    @Test func noMoreIsReservedThanThereIs() throws {
        let folder = ScratchFolder()
        defer { folder.remove() }
        let ledger = try self.ledger(in: folder, limit: 160 * Self.page)
        // The last sixteenth is for what contents need besides their bytes.
        #expect(ledger.reserve(149 * Self.page + 1))
        #expect(!ledger.reserve(1))
        #expect(ledger.hasRoom(for: 0) && !ledger.hasRoom(for: 1))
        #expect(ledger.reserve(10 * Self.page, for: .bookkeeping))
        #expect(!ledger.reserve(1, for: .bookkeeping))
        #expect(ledger.usedBytes == 160 * Self.page)
    }

    @Test func processesCountTogether() throws {
        let folder = ScratchFolder()
        defer { folder.remove() }
        let ledgers = try (0..<4).map { _ in try ledger(in: folder, limit: 16_000 * Self.page) }
        let taken = Atomic<Int>(0)
        let threads = ledgers.map { ledger in
            Thread(name: "reserver") {
                while ledger.reserve(Self.page) {
                    taken.add(1, ordering: .relaxed)
                    ledger.settle(Self.page)
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(taken.load(ordering: .relaxed) == 15_000)
        for ledger in ledgers { #expect(ledger.usedBytes == 15_000 * Self.page) }
    }

    @Test func aMeasurementForgetsNothingThatIsAboutToBeWritten() throws {
        let folder = ScratchFolder()
        defer { folder.remove() }
        let (ledger, other) = (
            try ledger(in: folder, limit: 1 << 30), try ledger(in: folder, limit: 1 << 30)
        )
        #expect(ledger.reserve(10 * Self.page))
        ledger.settle(10 * Self.page)
        #expect(other.reserve(5 * Self.page))
        try ledger.measure { () throws(CacheError) in
            #expect(other.reserve(3 * Self.page))
            // Others' removals are seen, and what was written since the last time.
            return 7 * Self.page
        }
        #expect(ledger.usedBytes == (7 + 5 + 3) * Self.page)
        other.settle(8 * Self.page)
        try other.measure { () throws(CacheError) in 15 * Self.page }
        #expect(ledger.usedBytes == 15 * Self.page)
    }

    @Test func whatAKilledProcessHadReservedIsForgottenWhenNobodyCountsAnyMore() throws {
        let folder = ScratchFolder()
        defer { folder.remove() }
        do {
            let killed = try ledger(in: folder, limit: 1 << 30)
            #expect(killed.reserve(9 * Self.page))
            let other = try ledger(in: folder, limit: 1 << 30)
            try other.measure { () throws(CacheError) in 0 }
            #expect(other.usedBytes == 9 * Self.page)
        }
        #expect(try ledger(in: folder, limit: 1 << 30).usedBytes == 0)
    }

    @Test func aCountThatIsDamagedIsMadeAnew() throws {
        let folder = ScratchFolder()
        defer { folder.remove() }
        let first = try ledger(in: folder, limit: 1 << 30)
        #expect(first.reserve(Self.page))
        let file = try openForUpdate(folder.path.appending("space.map"), creates: false)
        try Array("rubbish!".utf8).withUnsafeBytes { try file.writeWhole($0, at: 0) }
        try file.close()
        let second = try ledger(in: folder, limit: 1 << 30)
        #expect(second.usedBytes == 0 && first.usedBytes == Self.page)
    }

    @Test func theFloorOfTheDiskHolds() throws {
        let folder = ScratchFolder()
        defer { folder.remove() }
        let ledger = try self.ledger(
            in: folder, limit: 1 << 40, floor: 4 << 20, available: { 10 << 20 })
        #expect(ledger.reserve(6 << 20))
        #expect(!ledger.reserve(1))
        #expect(ledger.excessBytes > 0)
    }

    @Test func othersMayUseTheDiskToo() throws {
        let folder = ScratchFolder()
        defer { folder.remove() }
        let available = Guarded<UInt64>(100 << 20, rank: .leaf)
        let ledger = try self.ledger(
            in: folder, limit: 1 << 40, floor: 4 << 20, available: { available.withLock { $0 } })
        #expect(ledger.reserve(1 << 20))
        available.withLock { $0 = 4 << 20 }
        #expect(!ledger.reserve(Self.page))
        available.withLock { $0 = 64 << 20 }
        try ledger.measure { () throws(CacheError) in 0 }
        #expect(ledger.reserve(Self.page))
    }
}
