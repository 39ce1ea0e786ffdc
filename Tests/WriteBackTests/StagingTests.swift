import Dispatch
import Glibc
import Platform
import SystemPackage
import Testing

@testable import WriteBack

/// When staging files come and go, and what a power cut leaves of them.
@Suite struct StagingTests {
    @Test func aFileThatWasNeverSyncedGoesWithItsName() throws {
        let scratch = try ScratchWorkspace()
        scratch.close(try scratch.makeFile("a", "one"))
        #expect(try scratch.staged.count == 1)
        try scratch.overlay.unlink(EntryName("a"), in: .root)
        #expect(try scratch.staged.isEmpty)
    }

    @Test func aSyncedFileStaysUntilItsRemovalIsOnDisk() throws {
        let scratch = try ScratchWorkspace()
        let file = try scratch.makeFile("a", "one")
        try file.sync()
        scratch.close(file)
        let journal = try scratch.copyOfJournal()
        try scratch.overlay.unlink(EntryName("a"), in: .root)
        #expect(try scratch.staged.count == 1)
        // The power goes before any sync: the journal on disk still has the file.
        try scratch.recover(from: journal)
        #expect(try scratch.text("a") == "one")

        try scratch.overlay.unlink(EntryName("a"), in: .root)
        try scratch.overlay.syncNames()
        #expect(try scratch.staged.isEmpty)
    }

    @Test func aSyncedFileThatWasReplacedStaysUntilThatIsOnDisk() throws {
        let scratch = try ScratchWorkspace()
        let old = try scratch.makeFile("a", "old")
        try old.sync()
        scratch.close(old)
        let journal = try scratch.copyOfJournal()
        let new = try scratch.makeFile("b", "new")
        scratch.close(new)
        try scratch.overlay.rename(
            from: Overlay.Place(parent: .root, name: EntryName("b")),
            to: Overlay.Place(parent: .root, name: EntryName("a")), .replace)
        #expect(try scratch.text("a") == "new")
        try scratch.recover(from: journal)
        #expect(try scratch.text("a") == "old")
        #expect(try scratch.text("b") == nil)
    }

    /// The rename has synced it: what a power cut can bring back must be there then.
    @Test(arguments: ["cut", "removed"])
    func aFileThatReplacedAnotherKeepsItsBytesUntilThatIsOnDisk(_ fate: String) throws {
        let scratch = try ScratchWorkspace()
        let old = try scratch.makeFile("a", "old")
        scratch.close(old)
        let new = try scratch.makeFile("b", "new bytes")
        try scratch.overlay.rename(
            from: Overlay.Place(parent: .root, name: EntryName("b")),
            to: Overlay.Place(parent: .root, name: EntryName("a")), .replace)
        let journal = try scratch.copyOfJournal()
        if fate == "cut" { try new.truncate(to: 2) }
        scratch.close(new)
        if fate == "removed" { try scratch.overlay.unlink(EntryName("a"), in: .root) }
        try scratch.recover(from: journal)
        #expect(try scratch.text("a") == "new bytes")
    }

    @Test func muchThatWasDiscardedIsNotKeptWaiting() throws {
        let scratch = try ScratchWorkspace()
        for number in 0..<200 {
            let file = try scratch.makeFile("\(number)", "bytes")
            try file.sync()
            scratch.close(file)
        }
        for number in 0..<200 { try scratch.overlay.unlink(EntryName("\(number)"), in: .root) }
        #expect(try scratch.staged.count < 100)
        scratch.workspace.close()
        #expect(try scratch.staged.isEmpty)
    }

    @Test func whatWasCutOffGivesItsSpaceBack() throws {
        let scratch = try ScratchWorkspace()
        let file = try scratch.makeFile("a", String(repeating: "x", count: 100_000))
        try file.truncate(to: 10)
        #expect(try scratch.stagedBytes == 10)
        try file.write(String(repeating: "y", count: 50_000))
        try file.sync()
        try file.truncate(to: 20)
        // The bytes were promised: only the next sync lets go of them.
        #expect(try scratch.stagedBytes == 50_000)
        try file.sync()
        #expect(try scratch.stagedBytes == 20)
        #expect(try scratch.text("a") == String(repeating: "y", count: 20))
        scratch.close(file)
    }

    @Test func afterAPowerCutAFileIsAsOfItsLastSync() throws {
        let scratch = try ScratchWorkspace()
        let file = try scratch.makeFile("a", "one")
        try file.sync()
        try file.write("and more", at: 3)
        scratch.close(try scratch.makeFile("never synced", "bytes"))
        try scratch.overlay.syncNames()
        scratch.close(file)
        try scratch.recover(from: try scratch.copyOfJournal())
        #expect(try scratch.text("a") == "one")
        #expect(try scratch.text("never synced") == "")
        #expect(scratch.workspace.fallenBack == ["a", "never synced"])
    }

    @Test func whatWasSyncedOutlivesACommitThatCameToNothing() throws {
        let scratch = try ScratchWorkspace()
        let file = try scratch.makeFile("a", "one")
        try file.sync()
        _ = try scratch.overlay.freeze(leavesOpenFiles: false)
        try file.write("two", at: 3)
        try scratch.overlay.thaw()
        scratch.close(file)
        try scratch.recover(from: try scratch.copyOfJournal())
        #expect(try scratch.text("a")?.hasPrefix("one") == true)
    }

    @Test func numbersAreTakenOnceAndReservedBefore() throws {
        let scratch = try ScratchWorkspace()
        let journal = scratch.workspace.journal
        let taken = Guarded<[UInt64]>([], rank: .leaf)
        DispatchQueue.concurrentPerform(iterations: 8) { _ in
            let numbers = (0..<40_000).compactMap { _ in try? journal.takeNumber() }
            taken.withLock { $0 += numbers }
        }
        let numbers = taken.withLock { $0 }
        #expect(numbers.count == 320_000)
        #expect(Set(numbers).count == numbers.count)
        var reserved: UInt64 = 0
        try journal.write {
            reserved = try $0.fact(.reservedNumber).flatMap { UInt64($0) } ?? 0
        }
        #expect(reserved > numbers.max()!)
    }
}

extension ScratchWorkspace {
    /// Bytes of the files in the staging folder, together.
    fileprivate var stagedBytes: Int {
        get throws {
            let folder = workspace.folder.appending("staging")
            return try staged.reduce(0) { sum, name in
                sum + Int(try Folder.status(folder.appending(name))?.st_size ?? 0)
            }
        }
    }
}
