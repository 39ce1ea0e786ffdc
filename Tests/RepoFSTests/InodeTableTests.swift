import FuseBridge
import HubClient
import RepoCache
import Testing

@testable import RepoFS

@Suite struct InodeTableTests {
    private func tree(_ digit: Character) -> TreeOID {
        TreeOID(hex: String(repeating: digit, count: 40))!
    }

    private func blob(_ digit: Character) -> ContentID {
        .git(BlobOID(hex: String(repeating: digit, count: 40))!)
    }

    private func listing(_ entries: [(name: String, kind: TreeEntry.Kind)]) -> DirectoryListing {
        DirectoryListing(entries.map { TreeEntry(path: $0.name, kind: $0.kind) })!
    }

    private let snapshot = RepoSnapshot(
        repo: RepoID(kind: .model, name: "a/b"),
        commit: CommitOID(hex: String(repeating: "a", count: 40))!, commitDateNanoseconds: 1_000)

    private func makeTable() -> InodeTable {
        var table = InodeTable(
            rootInodeNumber: InodeNumbers.root(repo: "models/a/b", path: ""), snapshot: snapshot)
        _ = table.setListing(
            listing([
                ("dir", .directory(tree("1"))), ("file", .file(blob("2"), size: 7)),
                ("twin", .file(blob("2"), size: 7)),
            ]), of: .root, tree: nil, at: snapshot.commit)
        return table
    }

    /// A lookup that must succeed.
    private func lookUp(
        _ index: Int, in parent: NodeID, _ table: inout InodeTable
    ) throws -> InodeTable.Node {
        let node = table.lookUp(index: index, in: parent)
        return try #require(node)
    }

    @Test func aLookupMakesAnInodeAndFindsItAgain() throws {
        var table = makeTable()
        let first = try lookUp(1, in: .root, &table)
        let second = try lookUp(1, in: .root, &table)
        #expect(first.id == second.id)
        #expect(first.generation == second.generation)
        #expect(table.place(of: first.id).path == "file")
        #expect(table.count == 2)
    }

    @Test func forgettingAllLookupsFreesTheInode() throws {
        var table = makeTable()
        let node = try lookUp(1, in: .root, &table)
        _ = table.lookUp(index: 1, in: .root)
        table.forget(node.id, count: 1)
        #expect(table.node(node.id) != nil)
        table.forget(node.id, count: 1)
        #expect(table.node(node.id) == nil)
        #expect(table.count == 1)
    }

    @Test func aNumberUsedAgainHasAnotherGeneration() throws {
        var table = makeTable()
        let old = try lookUp(1, in: .root, &table)
        table.forget(old.id, count: 1)
        let new = try lookUp(2, in: .root, &table)
        #expect(new.id == old.id)
        #expect(new.generation != old.generation)
        #expect(new.inodeNumber != old.inodeNumber)
    }

    @Test func aDirectoryLivesAsLongAsItsChildren() throws {
        var table = makeTable()
        let directory = try lookUp(0, in: .root, &table)
        _ = table.setListing(
            listing([("x", .file(blob("3"), size: 1))]), of: directory.id, tree: tree("1"),
            at: snapshot.commit)
        let child = try lookUp(0, in: directory.id, &table)
        #expect(table.place(of: child.id).path == "dir/x")
        table.forget(directory.id, count: 1)
        #expect(table.place(of: child.id).path == "dir/x")
        table.forget(child.id, count: 1)
        #expect(table.node(directory.id) == nil)
        #expect(table.count == 1)
    }

    @Test func theRootIsNeverForgotten() {
        var table = makeTable()
        table.forget(.root, count: 1000)
        #expect(table.node(.root) != nil)
    }

    @Test func unknownNumbersAreUnknown() {
        let table = makeTable()
        #expect(table.node(NodeID(0)) == nil)
        #expect(table.node(NodeID(2)) == nil)
        #expect(table.node(NodeID(.max)) == nil)
    }

    @Test func equalContentsAreFoundAtEveryPath() throws {
        var table = makeTable()
        let file = try lookUp(1, in: .root, &table)
        let twin = try lookUp(2, in: .root, &table)
        #expect(Set(table.nodes(holding: blob("2"))) == [file.id, twin.id])
        #expect(table.nodes(holding: blob("9")).isEmpty)
    }

    @Test func inodeNumbersDependOnRepoAndPathAlone() {
        func number(_ repo: String, _ path: String) -> UInt64 {
            InodeNumbers.root(repo: repo, path: path)
        }
        #expect(number("models/a/b", "x/y") == number("models/a/b", "x/y"))
        #expect(number("models/a/b", "x/y") != number("models/a/c", "x/y"))
        #expect(number("models/a/b", "x/y") != number("models/a/b", "y/x"))
        // A mount of a folder numbers its files as a mount of the whole repo does.
        let inside = InodeNumbers.child(of: number("models/a/b", "x"), name: "y".utf8)
        #expect(inside == number("models/a/b", "x/y"))
        #expect(number("models/a/b", "x/y") >> 63 == 0)
    }
}
