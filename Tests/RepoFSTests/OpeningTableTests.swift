import FuseBridge
import Testing

@testable import RepoFS

@Suite struct OpeningTableTests {
    private final class Content {}

    private let node = NodeID(7)
    private let content = Content()

    @Test func theFirstOpenChoosesTheWayUntilTheLastClose() {
        var table = OpeningTable()
        // Something is missing; that it came while the inode is open changes nothing.
        #expect(way(of: table.open(node, content: content, register: { nil })) == "cached")
        #expect(way(of: table.open(node, content: content, register: mustNotRegister)) == "cached")
        #expect(table.close(node) == nil)
        #expect(way(of: table.open(node, content: content, register: mustNotRegister)) == "cached")
        #expect(table.close(node) == nil)
        #expect(table.close(node) == nil)
        #expect(table.count == 0)
        let file = BackingFiles.ID(number: 3)
        #expect(way(of: table.open(node, content: content, register: { file })) == "backed by 3")
    }

    @Test func allOpensShareOneFileWhichTheLastCloseGivesBack() {
        var table = OpeningTable()
        let file = BackingFiles.ID(number: 5)
        _ = table.open(node, content: content, register: { file })
        #expect(
            way(of: table.open(node, content: content, register: mustNotRegister)) == "backed by 5")
        #expect(table.close(node) == nil)
        #expect(table.close(node) == file)
        #expect(table.count == 0)
        #expect(table.close(node) == nil)
    }

    @Test func inodesAreChosenForOneByOne() {
        var table = OpeningTable()
        let other = NodeID(8)
        _ = table.open(node, content: content, register: { BackingFiles.ID(number: 1) })
        #expect(way(of: table.open(other, content: content, register: { nil })) == "cached")
        #expect(table.close(other) == nil)
        #expect(table.close(node) == BackingFiles.ID(number: 1))
    }

    @Test func noOtherContentIsReadFromTheFileOfADamagedOne() {
        var table = OpeningTable()
        let file = BackingFiles.ID(number: 1)
        _ = table.open(node, content: content, register: { file })
        let fetchedAgain = Content()
        #expect(table.open(node, content: fetchedAgain, register: mustNotRegister) == nil)
        #expect(table.close(node) == file)
        #expect(way(of: table.open(node, content: fetchedAgain, register: { nil })) == "cached")
    }

    private func way(of way: OpeningTable.Way?) -> String {
        switch way {
        case .cached: "cached"
        case .backed(let file): "backed by \(file.number)"
        case nil: "refused"
        }
    }

    private func mustNotRegister() -> BackingFiles.ID? {
        Issue.record("the way of an open inode is chosen anew")
        return nil
    }
}
