import Testing

@testable import WriteBack

/// What a power cut leaves, where the journal is on disk up to some change and the staged bytes are
/// as of a later one.
@Suite struct PowerCutTests {
    /// `new` was written, renamed over `old`, and both are on disk by the fsync of something else.
    private func renamed(_ scratch: ScratchWorkspace) throws -> WorkingFile {
        scratch.close(try scratch.makeFile("old", "old bytes"))
        let file = try scratch.makeFile("new", "new bytes")
        try scratch.overlay.rename(
            from: Overlay.Place(parent: .root, name: EntryName("new")),
            to: Overlay.Place(parent: .root, name: EntryName("old")), .replace)
        try scratch.overlay.syncNames()
        return file
    }

    @Test func whatWasRenamedOverAFileStaysWhenItIsCutOff() throws {
        let scratch = try ScratchWorkspace()
        let file = try renamed(scratch)
        let journal = try scratch.copyOfJournal()
        try file.truncate(to: 0)
        scratch.close(file)
        try scratch.recover(from: journal)
        #expect(try scratch.text("old") == "new bytes")
    }

    @Test func whatWasRenamedOverAFileStaysWhenItIsRemoved() throws {
        let scratch = try ScratchWorkspace()
        let file = try renamed(scratch)
        let journal = try scratch.copyOfJournal()
        scratch.close(file)
        try scratch.overlay.unlink(EntryName("old"), in: .root)
        try scratch.recover(from: journal)
        #expect(try scratch.text("old") == "new bytes")
    }

    @Test func whatWasRenamedOverAFileIsStillSyncedAfterAFreeze() throws {
        let scratch = try ScratchWorkspace()
        let file = try renamed(scratch)
        try file.write("newer", at: 0)
        let sealed = file.freeze(leavesOpen: false).sealed!
        try scratch.workspace.journal.write { try $0.putWhole(sealed.record) }
        sealed.store.unpin()
        let journal = try scratch.copyOfJournal()
        scratch.close(file)
        try scratch.recover(from: journal)
        #expect(try scratch.text("old") == "newerytes")
    }

    @Test func anFsyncDuringAFreezeCoversWhatWasSealed() throws {
        let scratch = try ScratchWorkspace()
        let file = try scratch.makeFile("a", "sealed bytes")
        let sealed = file.freeze(leavesOpen: false).sealed!
        try file.write("S", at: 0)
        try file.sync()
        let journal = try scratch.copyOfJournal()
        sealed.store.unpin()
        scratch.close(file)
        try scratch.recover(from: journal)
        #expect(try scratch.text("a") == "Sealed bytes")
    }

    @Test func bytesWrittenOverAreNotOnDiskBeforeTheNextSync() throws {
        let scratch = try ScratchWorkspace()
        let file = try scratch.makeFile("a", "one")
        try file.sync()
        #expect(try file.unsynced().layers.isEmpty)
        try file.write("two", at: 0)
        // The extents are the same, so only the count of writes can tell.
        #expect(try file.unsynced().layers.map(\.hasUnsyncedBytes) == [true])
        #expect(file.freeze(leavesOpen: false).sealed?.unsynced?.hasUnsyncedBytes == true)
        try file.sync()
        #expect(try file.unsynced().layers.isEmpty)
        scratch.close(file)
    }

    @Test func theOrdinaryEndPutsEverythingOnDisk() throws {
        let scratch = try ScratchWorkspace()
        let file = try scratch.makeFile("a", "never synced")
        try scratch.overlay.syncEverything()
        #expect(try file.unsynced().layers.isEmpty)
        let journal = try scratch.copyOfJournal()
        scratch.close(file)
        try scratch.recover(from: journal)
        #expect(try scratch.text("a") == "never synced")
        #expect(scratch.workspace.fallenBack.isEmpty)
    }
}
