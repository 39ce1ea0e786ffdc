import Glibc
import Platform
import SystemPackage
import TestSupport
import Testing

@testable import VolumeDrivers

@Suite final class VolumeStoreTests {
    private let scratch = ScratchFolder()
    deinit { scratch.remove() }

    private var folder: FilePath { scratch.path.appending("state") }
    private let record = VolumeRecord(
        name: "vol", options: ["repo": "org/m", "rw": ""], createdSeconds: 7, boot: "1.2",
        mounts: ["abc": 2], lastEnd: .init(seconds: 8, code: 5, message: "the Hub is away"))

    @Test func whatIsSavedIsLoadedByTheNext() throws {
        do {
            let store = try VolumeStore(folder)
            try store.save(record)
            var changed = record
            changed.mounts = [:]
            try store.save(changed)
            #expect(try store.load() == [changed])
            store.close()
        }
        let next = try VolumeStore(folder)
        #expect(try next.load().map(\.mounts) == [[:]])
        try next.remove(VolumeName("vol"))
        #expect(try next.load().isEmpty)
    }

    @Test func twoDoNotWorkWithOneFolder() throws {
        let store = try VolumeStore(folder)
        #expect(throws: VolumeError.folderTaken(path: folder.string)) {
            try VolumeStore(folder)
        }
        store.close()
        _ = try VolumeStore(folder)
    }

    @Test func aWriteThatWasCutOffIsNoVolume() throws {
        let store = try VolumeStore(folder)
        try store.save(record)
        let volumes = folder.appending("volumes")
        try write("{\"name\"", to: volumes.appending("vol.new"))
        #expect(try store.load() == [record])
        #expect(try Folder.names(in: volumes) == ["vol.json"])
    }

    @Test(arguments: ["", "{}", "[]", "{\"version\":9}"])
    func aDamagedFileIsNamed(_ text: String) throws {
        let store = try VolumeStore(folder)
        let path = folder.appending("volumes/bad.json")
        try write(text, to: path)
        #expect(throws: VolumeError.unreadable(path: path.string)) { try store.load() }
    }

    @Test func aFileUnderAnotherNameIsNotBelieved() throws {
        let store = try VolumeStore(folder)
        try store.save(record)
        let path = folder.appending("volumes/other.json")
        try Folder.rename(folder.appending("volumes/vol.json"), to: path)
        #expect(throws: VolumeError.unreadable(path: path.string)) { try store.load() }
    }

    private func write(_ text: String, to path: FilePath) throws {
        let file = try FileDescriptor.open(
            path, .writeOnly, options: .create, permissions: .ownerReadWrite)
        try file.closeAfter { _ = try file.writeAll(text.utf8) }
    }
}
