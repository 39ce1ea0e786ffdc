import FuseBridge
import HubClient
import Platform
import Testing

@testable import RepoFS

/// Repos that were listed and not used: open ones are tested with real mounts
/// (Tests/mount/test_hub_tree_life.py).
@Suite struct SlotTableTests {
    private static let name = TreeRepo(RepoID(kind: .model, name: "org/name"), nil)
    private let start = MonotonicInstant(nanoseconds: 1_000_000_000_000)

    @Test func aSlotIsFoundByNameWhileTheKernelKnowsIt() {
        var table = SlotTable()
        let part = table.add(Self.name, listedNanoseconds: 5, now: start)
        table.lookedUp(part)
        table.lookedUp(part)
        #expect(table.part(of: Self.name) == part)
        #expect(table[part]?.listedNanoseconds == 5)
        table.forgot(part, rootCount: 1)
        #expect(table.part(of: Self.name) == part)
        table.forgot(part, rootCount: 1)
        #expect(table.part(of: Self.name) == nil)
        #expect(table[part] == nil)
        #expect(table.count == 0)
    }

    @Test func partsAreNeverGivenOutTwice() {
        var table = SlotTable()
        var seen: Set<PartNumbers> = [.whole]
        for _ in 0..<100 {
            let part = table.add(Self.name, listedNanoseconds: 0, now: start)
            table.lookedUp(part)
            #expect(seen.insert(part).inserted)
            table.forgot(part, rootCount: 1)
        }
    }

    @Test func revisionsAreSlotsOfTheirOwn() {
        var table = SlotTable()
        let other = TreeRepo(Self.name.repo, Revision("v1"))
        let parts = [Self.name, other].map { table.add($0, listedNanoseconds: 0, now: start) }
        #expect(parts[0] != parts[1])
        #expect(table.part(of: other) == parts[1])
        #expect(Set(table.names) == [Self.name, other])
        #expect(table.part(of: TreeRepo(Self.name.repo, .main)) == parts[0])
    }

    @Test func onlyOpenReposAreIdle() {
        var table = SlotTable()
        _ = table.add(Self.name, listedNanoseconds: 0, now: start)
        let idle = table.idle(since: start.advanced(bySeconds: 100), openCountMax: 0)
        #expect(idle.isEmpty)
        #expect(table.openCount == 0)
    }
}
