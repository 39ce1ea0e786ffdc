import FuseBridge
import HubClient
import RepoCache
import Testing

@testable import RepoFS

/// What becomes of inodes when a mount goes to another commit.
@Suite struct InodeTableMovingTests {
    private func tree(_ digit: Character) -> TreeOID {
        TreeOID(hex: String(repeating: digit, count: 40))!
    }

    private func file(_ digit: Character, size: UInt64 = 7) -> TreeEntry.Kind {
        .file(.git(BlobOID(hex: String(repeating: digit, count: 40))!), size: size)
    }

    private func directory(_ digit: Character) -> TreeEntry.Kind { .directory(tree(digit)) }

    private func listing(_ entries: [String: TreeEntry.Kind]) -> DirectoryListing {
        DirectoryListing(entries.map { TreeEntry(path: $0.key, kind: $0.value) })!
    }

    private func snapshot(_ digit: Character, date: Int64) -> RepoSnapshot {
        RepoSnapshot(
            repo: RepoID(kind: .model, name: "a/b"),
            commit: CommitOID(hex: String(repeating: digit, count: 40))!,
            commitDateNanoseconds: date)
    }

    private var first: RepoSnapshot { snapshot("a", date: 1000) }
    private var second: RepoSnapshot { snapshot("b", date: 2000) }

    private func table(_ root: [String: TreeEntry.Kind]) -> InodeTable {
        var table = InodeTable(rootInodeNumber: 42, snapshot: first)
        _ = table.setListing(listing(root), of: .root, tree: nil, at: first.commit)
        return table
    }

    private func look(
        _ name: String, in parent: NodeID = .root, _ table: inout InodeTable
    ) throws -> InodeTable.Node {
        guard case .node(let node) = table.lookUp(FileName(name), in: parent) else {
            throw Missing(name: name)
        }
        return node
    }

    private struct Missing: Error { let name: String }

    /// Goes to the second commit, which must need nothing.
    @discardableResult
    private func move(
        _ table: inout InodeTable, to root: [String: TreeEntry.Kind],
        _ listings: [TreeOID: DirectoryListing] = [:]
    ) throws -> StaleNames {
        let move = table.move(to: second, root: listing(root), listings: listings)
        guard case .done(let stale) = move else { throw Missing(name: "listings") }
        return stale
    }

    private func names(_ stale: StaleNames) -> Set<String> {
        Set(stale.entries.map(\.name.description))
    }

    @Test func whatStaysKeepsItsInodeWhereverItsNameStands() throws {
        var table = table(["m": file("1"), "z": file("2")])
        let before = try (look("m", &table), look("z", &table))
        let stale = try move(&table, to: ["a": file("9"), "m": file("1"), "z": file("2")])
        let after = try (look("m", &table), look("z", &table))
        #expect(after.0.id == before.0.id && after.1.id == before.1.id)
        #expect(after.0.inodeNumber == before.0.inodeNumber)
        #expect(after.1.modifiedNanoseconds == 1000)
        #expect(names(stale) == ["a"])
        #expect(stale.directories == [.root] && stale.addedBytes == 7)
        #expect(table.place(of: after.1.id).path == "z")
        #expect(table.node(.root)?.modifiedNanoseconds == 2000)
    }

    @Test func aFileWithADateOfItsOwnShowsIt() throws {
        func dated(_ dates: [String: Int64]) -> DirectoryListing {
            DirectoryListing(
                dates.map {
                    TreeEntry(path: $0.key, kind: file("1"), modifiedNanoseconds: $0.value)
                })!
        }
        var table = InodeTable(rootInodeNumber: 42, snapshot: first)
        _ = table.setListing(
            dated(["f": 5, "g": 6]), of: .root, tree: nil, at: first.commit)
        let (f, g) = try (look("f", &table), look("g", &table))
        #expect(f.modifiedNanoseconds == 5 && g.modifiedNanoseconds == 6)
        guard
            case .done(let stale) = table.move(
                to: second, root: dated(["f": 7, "g": 6]), listings: [:])
        else { throw Missing(name: "listings") }
        #expect(names(stale) == ["f"])
        #expect(try look("f", &table).modifiedNanoseconds == 7)
        #expect(try look("g", &table).id == g.id)
        #expect(table.node(g.id)?.modifiedNanoseconds == 6)
        // Whoever has it open goes on seeing what he has opened.
        #expect(table.node(f.id)?.modifiedNanoseconds == 5)
    }

    @Test func aChangedFileIsAnotherInodeAndTheOldOneStaysWhatItWas() throws {
        var table = table(["f": file("1")])
        let old = try look("f", &table)
        let stale = try move(&table, to: ["f": file("2", size: 9)])
        let new = try look("f", &table)
        #expect(names(stale) == ["f"])
        #expect(new.id != old.id && new.inodeNumber != old.inodeNumber)
        #expect(new.modifiedNanoseconds == 2000)
        let orphan = try #require(table.node(old.id))
        guard case .file(_, let size) = orphan.kind else { throw Missing(name: "f") }
        #expect(size == 7 && orphan.inodeNumber == old.inodeNumber)
        #expect(orphan.modifiedNanoseconds == 1000)
        #expect(table.place(of: old.id).snapshot == first)
        #expect(table.place(of: old.id).path == "f")
        #expect(table.place(of: new.id).snapshot == second)
        table.forget(old.id, count: 1)
        #expect(table.node(old.id) == nil)
        #expect(table.node(new.id) != nil)
        #expect(table.count == 2)
    }

    @Test func aDirectoryThatChangedIsTheSameInodeAndItsListingIsNeeded() throws {
        var table = table(["d": directory("1"), "e": directory("2")])
        let d = try look("d", &table)
        _ = table.setListing(
            listing(["x": file("3"), "y": file("4")]), of: d.id, tree: tree("1"), at: first.commit)
        let (x, y) = try (look("x", in: d.id, &table), look("y", in: d.id, &table))
        let root = ["d": directory("5"), "e": directory("2")]
        guard case .needs(let wanted) = table.move(to: second, root: listing(root), listings: [:])
        else { throw Missing(name: "needs") }
        #expect(wanted.map(\.path) == ["d"] && wanted.map(\.tree) == [tree("5")])
        #expect(table.snapshot == first, "nothing has changed yet")
        let stale = try move(
            &table, to: root, [tree("5"): listing(["y": file("4"), "z": file("6")])])
        #expect(names(stale) == ["x", "z"])
        #expect(Set(stale.directories) == [.root, d.id])
        #expect(try look("d", &table).id == d.id)
        #expect(try look("y", in: d.id, &table).id == y.id)
        #expect(table.place(of: x.id).path == "d/x" && table.place(of: x.id).snapshot == first)
        guard case .absent = table.lookUp(FileName("x"), in: d.id) else {
            throw Missing(name: "absent")
        }
    }

    @Test func aDirectoryNobodyLookedIntoIsNotNeeded() throws {
        var table = table(["d": directory("1")])
        let d = try look("d", &table)
        let stale = try move(&table, to: ["d": directory("5")])
        #expect(Set(stale.directories) == [.root, d.id] && stale.entries.isEmpty)
        #expect(try look("d", &table).modifiedNanoseconds == 2000)
        // A listing of the tree it had comes too late.
        let late = table.setListing(
            listing(["x": file("3")]), of: d.id, tree: tree("1"), at: first.commit)
        guard case .outdated = late else { throw Missing(name: "outdated") }
        _ = table.setListing(
            listing(["x": file("3")]), of: d.id, tree: tree("5"), at: second.commit)
        // Nobody knows when that changed: not before the directory did.
        #expect(try look("x", in: d.id, &table).modifiedNanoseconds == 2000)
    }

    @Test func aDirectoryThatIsGoneGoesOnForThoseWhoHaveIt() throws {
        var table = table(["d": directory("1")])
        let d = try look("d", &table)
        _ = table.setListing(
            listing(["e": directory("2")]), of: d.id, tree: tree("1"), at: first.commit)
        let e = try look("e", in: d.id, &table)
        table.forget(d.id, count: 1)
        try move(&table, to: ["d": file("3")])
        #expect(table.place(of: e.id).path == "d/e" && table.place(of: e.id).snapshot == first)
        _ = table.setListing(
            listing(["x": file("3")]), of: e.id, tree: tree("2"), at: first.commit)
        let x = try look("x", in: e.id, &table)
        #expect(table.place(of: x.id).path == "d/e/x")
        #expect(x.modifiedNanoseconds == 1000)
        table.forget(e.id, count: 1)
        table.forget(x.id, count: 1)
        #expect(table.count == 1, "the root alone is left")
        #expect(try look("d", &table).inodeNumber != d.inodeNumber)
    }

    @Test func aStreamOfAnEarlierCommitMakesNoInodes() throws {
        var table = table(["a": file("1"), "b": file("2")])
        let version = try #require(table.contents(of: .root)).version
        #expect(table.lookUp(index: 0, in: .root, version: version) != nil)
        try move(&table, to: ["b": file("2")])
        #expect(table.lookUp(index: 0, in: .root, version: version) == nil)
        #expect(table.count == 2)
    }

    @Test func aRootThatNobodyLookedIntoHasTheNewDate() throws {
        var table = InodeTable(rootInodeNumber: 42, snapshot: first)
        let stale = try move(&table, to: ["a": file("1")])
        #expect(stale.directories == [.root])
        _ = table.setListing(
            listing(["a": file("1")]), of: .root, tree: nil, at: second.commit)
        #expect(try look("a", &table).modifiedNanoseconds == 2000)
    }
}
