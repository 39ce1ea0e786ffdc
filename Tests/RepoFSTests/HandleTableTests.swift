import FuseBridge
import Testing

@testable import RepoFS

@Suite struct HandleTableTests {
    @Test func handlesAreGivenOutTakenBackAndUsedAgain() {
        var table = HandleTable<String>()
        let first = table.insert("a")
        let second = table.insert("b")
        #expect(table[first] == "a")
        #expect(table[second] == "b")
        #expect(table.remove(first) == "a")
        #expect(table[first] == nil)
        #expect(table.remove(first) == nil)
        #expect(table.insert("c") == first)
        #expect(table.count == 2)
        #expect(table.removeAll().sorted() == ["b", "c"])
        #expect(table.count == 0)
    }

    @Test func onlyWhatIsGivenOutCanBeChanged() {
        var table = HandleTable<String>()
        let handle = table.insert("a")
        table[handle] = "b"
        #expect(table[handle] == "b")
        #expect(table.remove(handle) == "b")
        table[handle] = "c"
        #expect(table[handle] == nil)
        #expect(table.count == 0)
    }

    @Test func whatWasNeverGivenOutIsNotFound() {
        var table = HandleTable<Int>()
        #expect(table[HandleID(0)] == nil)
        #expect(table.remove(HandleID(.max)) == nil)
    }
}
