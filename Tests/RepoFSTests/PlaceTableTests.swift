import FuseBridge
import HubClient
import Testing

@testable import RepoFS

@Suite struct PlaceTableTests {
    @Test func aPlaceKeepsItsNodeWhileTheKernelKnowsIt() {
        var table = PlaceTable()
        let first = table.lookUp(.kind(.model))
        let second = table.lookUp(.kind(.model))
        #expect(second == first)
        #expect(table.place(first) == .kind(.model))
        table.forget(first, count: 1)
        #expect(table.node(.kind(.model)) == first)
        table.forget(first, count: 1)
        #expect(table.place(first) == nil)
        #expect(table.node(.kind(.model)) == nil)
    }

    @Test func numbersAreNeverGivenOutTwice() {
        var table = PlaceTable()
        var seen: Set<NodeID> = [.root]
        for _ in 0..<100 {
            let node = table.lookUp(.kind(.dataset))
            #expect(seen.insert(node).inserted)
            table.forget(node, count: 1)
        }
        #expect(table.count == 1)
    }

    @Test func theRootStays() {
        var table = PlaceTable()
        table.forget(.root, count: 100)
        #expect(table.place(.root) == .root)
        let root = table.lookUp(.root)
        #expect(root == .root)
    }
}
