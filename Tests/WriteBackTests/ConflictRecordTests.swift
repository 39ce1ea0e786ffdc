import HTTPTransport
import HubClient
import Logging
import Platform
import Testing

@testable import WriteBack

@Suite struct ConflictRecordTests {
    @Test func aConflictIsNamedOnceAndSaysWhatTheOthersHave() throws {
        let (old, new) = (MemoryBase.commit("1"), MemoryBase.commit("2"))
        let source = MemoryBase([
            old: ["a": "A", "d/x": "X", "gone": "G"], new: ["a": "B", "d/x": "Y", "d/n": "N"],
        ])
        let theirs = try TreeDifference(from: old, to: new, source: source)
        #expect(
            theirs.conflicted(["gone", "d/x", "d", "a"]) == [
                ConflictedPath(path: "a", theirs: .file),
                ConflictedPath(path: "d", theirs: .folder),
                ConflictedPath(path: "gone", theirs: .nothing),
            ])
    }

    @Test func namesThatGaveWayAreFreeAndFit() {
        let taken: Set<EntryName> = ["a.hubfs-ours", "a.hubfs-ours-2"].reduce(into: []) {
            $0.insert(EntryName($1))
        }
        #expect(SetAside.name(for: EntryName("a")) { taken.contains($0) }.text == "a.hubfs-ours-3")
        let long = EntryName(String(repeating: "ä", count: 127))
        let name = SetAside.name(for: long) { _ in false }
        #expect(name.bytes.count <= 255 && name.text?.hasSuffix("ä.hubfs-ours") == true)
        for path in ["a.hubfs-ours", "d/a.hubfs-ours-12", "d.hubfs-ours/x"] {
            #expect(SetAside.isName(path) && IgnoreRules().matches(path, isDirectory: false))
        }
        #expect(!SetAside.isName("a.hubfs-ours.txt") && !SetAside.isName("hubfs-ours"))
    }

    /// A daemon that was killed between the end of its commit and the taking over of what that went on
    /// top of: what it had committed before, and others have changed since, is no edit.
    @Test func whatACommitWentOnTopOfIsTakenOverByTheNextDaemon() throws {
        let (old, foreign, new) = (
            MemoryBase.commit("1"), MemoryBase.commit("2"), MemoryBase.commit("3")
        )
        let source = MemoryBase([
            old: ["a": "A", "b": "B", "c": "C", "d/x": "X"],
            foreign: ["a": "their a", "b": "their b", "c": "C", "d/x": "X"],
            new: ["a": "their a", "b": "their b", "c": "our c", "d/x": "X"],
        ])
        let tree = try EditedTree(on: old, of: source)
        // Known to the journal, and what the base has.
        try tree.overlay.touch("a", in: tree)
        try tree.write("b", "our b")
        let change = ForeignChange(
            from: old, to: foreign, ours: ["c"], removedDirectories: [], attributes: nil)
        let text = try change.encoded()
        _ = try tree.overlay.settle(Settlement(), on: new) { try $0.set(.foreign, text) }
        try tree.reopen()

        let transport = HTTPTransport()
        let timers = TimerQueue()
        let client = HubClient(
            configuration: HubConfiguration(
                endpoint: "http://127.0.0.1:9", token: FixedToken(nil)),
            transport: transport, timers: timers)
        defer {
            client.close()
            transport.shutdown()
            timers.close()
        }
        let committer = Committer(
            client: client, workspace: tree.workspace, source: source, sink: nil,
            logger: Logger(label: "test"))
        #expect(try committer.changes().changes.map(\.path) == ["a", "b"])
        try committer.finishPlan()
        #expect(try committer.changes().changes.map(\.path) == ["b"])
        #expect(try tree.shown()["a"] == "their a")
        #expect(try tree.shown()["b"] == "our b")
        #expect(try committer.conflicts() == [ConflictedPath(path: "b", theirs: .file)])
        #expect(try tree.workspace.journal.value(.foreign) == nil)
        let resolution = try committer.resolve(["b"], for: .theirs)
        #expect(resolution.asides == ["b.hubfs-ours"] && resolution.left.isEmpty)
        #expect(try tree.shown()["b.hubfs-ours"] == "our b")
        #expect(try committer.conflicts().isEmpty && committer.changes().isEmpty)
    }
}

extension Overlay {
    /// Changes a file's permissions, which the journal keeps and no commit has.
    fileprivate func touch(_ name: String, in tree: EditedTree) throws {
        let view = try tree.with { () throws(WriteBackError) in
            try lookUp(EntryName(name), in: .root)
        }!
        try willEdit(view.number)
    }
}
