import Platform
import SystemPackage
import Testing
import TestSupport

@Suite struct FilesTests {
    @Test func foldersAreMadeWithThoseAboveThem() throws {
        let scratch = ScratchFolder()
        defer { scratch.remove() }
        let path = scratch.path.appending("a").appending("b")
        try Folder.create(path)
        try Folder.create(path)
        #expect(try Folder.names(in: scratch.path) == ["a"])
        #expect(try Folder.names(in: path).isEmpty)
        #expect(try Folder.status(path) != nil)
        #expect(try Folder.status(path.appending("absent")) == nil)
        #expect(try !Folder.unlink(path.appending("absent")))
    }

    @Test func aSharedMappingIsSeenThroughTheFile() throws {
        let scratch = ScratchFolder()
        defer { scratch.remove() }
        let file = try FileDescriptor.open(
            scratch.path.appending("map"), .readWrite, options: [.create],
            permissions: .ownerReadWrite)
        defer { try? file.close() }
        try file.allocate(byteCount: 10_000)
        let memory = try MappedMemory(sharing: file, byteCount: 10_000)
        let other = try MappedMemory(sharing: file, byteCount: 10_000)
        memory.bytes[9_999] = 7
        #expect(other.bytes[9_999] == 7)
        try memory.sync()
        var byte = [UInt8](repeating: 0, count: 1)
        let count = try byte.withUnsafeMutableBytes { try file.readWhole(into: $0, at: 9_999) }
        #expect(count == 1 && byte == [7])
    }

    @Test func whoElseHasAFileOpenIsFound() throws {
        let scratch = ScratchFolder()
        defer { scratch.remove() }
        let path = scratch.path.appending("file")
        let writer = try FileDescriptor.open(
            path, .readWrite, options: .create, permissions: .ownerReadWrite)
        try writer.truncate(to: 4096)
        let file = try FileDescriptor.open(path, .readOnly)
        defer { try? file.close() }
        #expect(file.isOpenElsewhere())
        let memory = try MappedMemory(sharing: writer, byteCount: 4096)
        try writer.close()
        // A mapping needs no descriptor.
        #expect(file.isOpenElsewhere())
        withExtendedLifetime(memory) {}
    }

    @Test func whoHasAFileAloneIsFound() throws {
        let scratch = ScratchFolder()
        defer { scratch.remove() }
        let path = scratch.path.appending("file")
        try FileDescriptor.open(
            path, .writeOnly, options: .create, permissions: .ownerReadWrite
        ).close()
        let file = try FileDescriptor.open(path, .readOnly)
        defer { try? file.close() }
        for _ in 0..<3 { #expect(!file.isOpenElsewhere()) }
        // The lease has been given back: nobody waits for it.
        try FileDescriptor.open(path, .readWrite).close()
        #expect(!file.isOpenElsewhere())
    }

    @Test func thisMachineHasABootIDAndThisDiskIsLocal() throws {
        #expect(BootID.current != BootID(bytes: [UInt8](repeating: 0, count: 16)))
        let scratch = ScratchFolder()
        defer { scratch.remove() }
        let facts = try FileSystemFacts(of: scratch.path)
        #expect(facts.networkName == nil)
        #expect(facts.totalBytes >= facts.availableBytes && facts.availableBytes > 0)
        #expect(throws: Errno.noSuchFileOrDirectory) {
            try FileSystemFacts(of: scratch.path.appending("absent"))
        }
    }
}
