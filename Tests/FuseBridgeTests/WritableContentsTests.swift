import FuseBridge
import SystemPackage
import Testing

/// Writing, cutting, copying and syncing through a real mount: what arrives, byte by byte.
@Suite(.enabled(if: canMount, "needs /dev/fuse and root"))
struct WritableContentsTests {
    private let fileSystem = MemoryFileSystem()

    private func bytes(of name: String) throws -> [UInt8] {
        try fileSystem.withTree { tree in
            try tree.node(tree.child(FileName(name), of: .root)).bytes
        }
    }

    @Test func oneMebibyteIsOneRequest() throws {
        try withMount(of: fileSystem) { mount in
            try mount.python(
                """
                fd = os.open("a", os.O_CREAT | os.O_WRONLY)
                print(os.write(fd, bytes(range(256)) * 8192))
                """)
            #expect(
                fileSystem.calls("write") == ["write a @0 +1048576", "write a @1048576 +1048576"])
            #expect(try bytes(of: "a") == (0..<(2 << 20)).map { UInt8(truncatingIfNeeded: $0) })
        }
    }

    /// The kernel asks for capabilities once and then believes that there are none.
    @Test func manyWritesAreAsManyRequests() throws {
        try withMount(of: fileSystem) { mount in
            try mount.python(
                """
                fd = os.open("a", os.O_CREAT | os.O_WRONLY)
                for index in range(100):
                    os.write(fd, b"x" * 4096)
                """)
            #expect(fileSystem.calls("write").count == 100)
            #expect(fileSystem.calls("getxattr").count <= 1)
        }
    }

    @Test func fourBytesInALargeFileReadNothing() throws {
        try withMount(of: fileSystem) { mount in
            try fileSystem.withTree { tree in
                let node = try tree.make(FileName("a"), in: .root, .file)
                try tree.resize(node, to: 1 << 20)
            }
            let lines = try mount.python(
                """
                fd = os.open("a", os.O_RDWR)
                print(os.pwrite(fd, b"1234", 500_001), os.fstat(fd).st_size)
                """)
            #expect(lines == ["4 1048576"])
            #expect(fileSystem.calls("write", "read") == ["write a @500001 +4"])
            #expect(Array(try bytes(of: "a")[500_000..<500_006]) == [0, 49, 50, 51, 52, 0])
        }
    }

    @Test func aWriteIsReadBackThroughEveryHandle() throws {
        try withMount(of: fileSystem) { mount in
            let lines = try mount.python(
                """
                put("a", b"x" * 10000)
                reader = os.open("a", os.O_RDONLY)
                os.pread(reader, 10000, 0)
                writer = os.open("a", os.O_WRONLY)
                os.pwrite(writer, b"new", 5000)
                os.pwrite(writer, b"end", 10003)
                print(os.pread(reader, 5, 4999), os.pread(reader, 9, 9999), get("a")[5000:5003])
                """)
            #expect(lines == [#"b'xnewx' b'x\x00\x00\x00end' b'new'"#])
        }
    }

    @Test func appendsArriveAtTheEnd() throws {
        try withMount(of: fileSystem) { mount in
            try mount.python(
                """
                flags = os.O_CREAT | os.O_RDWR | os.O_APPEND
                one, two = os.open("a", flags), os.open("a", flags)
                os.write(one, b"one")
                os.write(two, b"two")
                os.pwrite(one, b"!", 0)  # Linux appends all the same
                os.ftruncate(two, 4)
                os.write(one, b"three")
                """)
            #expect(
                fileSystem.calls("write") == [
                    "write a @0 +3", "write a @3 +3", "write a @6 +1", "write a @4 +5",
                ])
            #expect(try bytes(of: "a") == Array("onetthree".utf8))
        }
    }

    @Test func aRefusedWriteIsTheCallersError() throws {
        try withMount(of: fileSystem) { mount in
            fileSystem.fail(next: "write", with: .noSpace)
            let lines = try mount.python(
                """
                fd = os.open("a", os.O_CREAT | os.O_WRONLY)
                print(error(os.write, fd, b"lost"), os.fstat(fd).st_size, os.write(fd, b"kept"))
                """)
            #expect(lines == ["ENOSPC 0 4"])
            #expect(try bytes(of: "a") == Array("kept".utf8))
        }
    }

    @Test func truncationComesWithTheOpen() throws {
        try withMount(of: fileSystem) { mount in
            let lines = try mount.python(
                """
                put("a", b"old bytes")
                fd = os.open("a", os.O_RDWR | os.O_TRUNC)
                print(os.fstat(fd).st_size, os.read(fd, 10))
                """)
            #expect(lines == ["0 b''"])
            #expect(fileSystem.calls("open", "setattr") == ["open a rw trunc"])
        }
    }

    @Test func anOpenThatIsRefusedTruncatesNothing() throws {
        try withMount(of: fileSystem) { mount in
            let lines = try mount.python(#"put("a", b"old bytes"); print(get("a"))"#)
            fileSystem.fail(next: "open", with: .resourceBusy)
            let more = try mount.python(
                """
                print(error(os.open, "a", os.O_WRONLY | os.O_TRUNC), os.stat("a").st_size, get("a"))
                """)
            #expect(lines == ["b'old bytes'"])
            #expect(more == ["EBUSY 9 b'old bytes'"])
        }
    }

    @Test func filesAreCutAndGrownByHandleAndByName() throws {
        try withMount(of: fileSystem) { mount in
            let lines = try mount.python(
                """
                put("a", b"0123456789")
                fd = os.open("a", os.O_RDWR)
                os.ftruncate(fd, 4)
                print(os.fstat(fd).st_size, os.pread(fd, 20, 0))
                os.truncate("a", 6)
                print(os.stat("a").st_size, os.pread(fd, 20, 0))
                """)
            #expect(lines == ["4 b'0123'", #"6 b'0123\x00\x00'"#])
            #expect(
                fileSystem.calls("setattr") == ["setattr a size 4 by handle", "setattr a size 6"])
        }
    }

    @Test func rangesAreAllocatedAndEmptied() throws {
        try withMount(of: fileSystem) { mount in
            let lines = try mount.python(
                """
                put("a", b"x" * 10)
                fd = os.open("a", os.O_RDWR)
                os.pread(fd, 10, 0)
                fallocate(fd, 0, 8, 12)
                print(os.fstat(fd).st_size)
                fallocate(fd, 1, 0, 100)  # FALLOC_FL_KEEP_SIZE
                fallocate(fd, 3, 1, 2)  # with FALLOC_FL_PUNCH_HOLE
                fallocate(fd, 16, 4, 2)  # FALLOC_FL_ZERO_RANGE
                fallocate(fd, 17, 7, 100)
                print(os.fstat(fd).st_size, os.pread(fd, 9, 0))
                unsupported = [8, 32, 64]  # collapse, insert, unshare
                print([error(fallocate, fd, mode, 0, 4096) for mode in unsupported])
                fallocate(fd, 16, 20, 1)
                print(os.fstat(fd).st_size)
                """)
            #expect(
                lines == [
                    "20", #"20 b'x\x00\x00x\x00\x00x\x00\x00'"#,
                    "['ENOTSUP', 'ENOTSUP', 'ENOTSUP']",
                    "21",
                ])
            #expect(
                fileSystem.calls("fallocate") == [
                    "fallocate a @8 +12 reserve(keepsSize: false)",
                    "fallocate a @0 +100 reserve(keepsSize: true)", "fallocate a @1 +2 punchHole",
                    "fallocate a @4 +2 zero(keepsSize: false)",
                    "fallocate a @7 +100 zero(keepsSize: true)",
                    "fallocate a @20 +1 zero(keepsSize: false)",
                ])
        }
    }

    @Test func rangesAreCopiedWithinTheMount() throws {
        try withMount(of: fileSystem) { mount in
            let lines = try mount.python(
                """
                put("a", b"0123456789")
                put("b", b"abcdefghij")
                source, target = os.open("a", os.O_RDONLY), os.open("b", os.O_RDWR)
                os.pread(target, 10, 0)
                print(os.copy_file_range(source, target, 4, 2, 1))
                print(os.copy_file_range(source, target, 100, 7, 9))
                print(os.copy_file_range(source, target, 1, 10, 0))
                print(os.pread(target, 20, 0), os.fstat(target).st_size)
                """)
            #expect(lines == ["4", "3", "0", "b'a2345fghi789' 12"])
            #expect(
                fileSystem.calls("copy").prefix(2) == ["copy a @2 b @1 +4", "copy a @7 b @9 +3"])
            #expect(fileSystem.calls("read").isEmpty == false)
        }
    }

    @Test func aCopyThatIsNotSupportedIsMadeByTheKernel() throws {
        try withMount(of: fileSystem) { mount in
            fileSystem.fail(next: "copy", with: .notSupported)
            let lines = try mount.python(
                """
                put("a", b"0123456789")
                put("b")
                source, target = os.open("a", os.O_RDONLY), os.open("b", os.O_RDWR)
                print(os.copy_file_range(source, target, 10, 0, 0))
                """)
            #expect(lines == ["10"])
            #expect(try bytes(of: "b") == Array("0123456789".utf8))
        }
    }

    @Test func syncsArriveByKind() throws {
        try withMount(of: fileSystem) { mount in
            let lines = try mount.python(
                """
                fd = os.open("a", os.O_CREAT | os.O_RDWR)
                os.write(fd, b"x")
                os.fsync(fd)
                os.fdatasync(fd)
                os.mkdir("d")
                os.fsync(os.open("d", os.O_RDONLY | os.O_DIRECTORY))
                """)
            #expect(lines == [])
            #expect(
                fileSystem.calls("write", "fsync", "fdatasync", "fsyncdir") == [
                    "write a @0 +1", "fsync a", "fdatasync a", "fsyncdir d",
                ])
        }
    }

    @Test(arguments: ["fsync", "fdatasync"])
    func aFailedSyncIsToldAndTriedAgain(_ operation: String) throws {
        try withMount(of: fileSystem) { mount in
            fileSystem.fail(next: operation, with: .ioError)
            let lines = try mount.python(
                """
                fd = os.open("a", os.O_CREAT | os.O_RDWR)
                print(error(os.\(operation), fd), error(os.\(operation), fd))
                """)
            #expect(lines == ["EIO ok"])
            #expect(fileSystem.calls(operation).count == 2)
        }
    }

    @Test func closeTellsTheErrorOfItsFlush() throws {
        try withMount(of: fileSystem) { mount in
            fileSystem.fail(next: "flush", with: .diskQuotaExceeded)
            let lines = try mount.python(
                """
                fd = os.open("a", os.O_CREAT | os.O_WRONLY)
                other = os.dup(fd)
                print(error(os.close, fd), error(os.close, other))
                """)
            #expect(lines == ["EDQUOT ok"])
            #expect(fileSystem.calls("flush") == ["flush a", "flush a"])
        }
    }

    @Test func storesToAMappingArriveAtMsync() throws {
        try withMount(of: fileSystem) { mount in
            try mount.python(
                """
                put("a", b"." * 10000)
                fd = os.open("a", os.O_RDWR)
                with mmap.mmap(fd, 10000) as mapping:
                    mapping[5000:5006] = b"stored"
                    mapping.flush()
                    os.fsync(fd)
                """)
            let writes = fileSystem.calls("write", "fsync")
            #expect(writes.first == "write a @0 +10000")
            #expect(writes.dropFirst().first == "write a @4096 +4096")
            #expect(writes.last == "fsync a")
            let found = try bytes(of: "a")
            #expect(found.count == 10000)
            #expect(Array(found[4999..<5007]) == Array(".stored.".utf8))
        }
    }

    @Test func storesAreSentBeforeAMappingsFileIsReleased() throws {
        try withMount(of: fileSystem) { mount in
            try mount.python(
                """
                put("a", b"." * 100)
                fd = os.open("a", os.O_RDWR)
                mapping = mmap.mmap(fd, 100)
                os.close(fd)
                mapping[0:6] = b"stored"
                mapping.close()
                """)
            #expect(
                fileSystem.calls("write", "flush", "release").prefix(5) == [
                    "write a @0 +100", "flush a", "release a", "flush a", "write a @0 +100",
                ])
            #expect(Array(try bytes(of: "a").prefix(7)) == Array("stored.".utf8))
        }
    }

    /// The handle a store comes by may be one for appending: only the offset counts.
    @Test func storesBesideAnAppenderLandWhereTheyBelong() throws {
        try withMount(of: fileSystem) { mount in
            let lines = try mount.python(
                """
                put("a", b"." * 100)
                fd = os.open("a", os.O_RDWR | os.O_APPEND)
                mapping = mmap.mmap(fd, 100)
                mapping[0:6] = b"stored"
                mapping.flush()
                os.write(fd, b"appended")
                mapping.close()
                print(get("a") == b"stored" + b"." * 94 + b"appended")
                """)
            #expect(lines == ["True"])
            #expect(
                fileSystem.calls("write") == [
                    "write a @0 +100", "write a @0 +100", "write a @100 +8",
                ])
        }
    }

    @Test func directWritesAreNotCached() throws {
        try withMount(of: fileSystem) { mount in
            let lines = try mount.python(
                """
                fd = os.open("a", os.O_CREAT | os.O_RDWR | os.O_DIRECT)
                page = mmap.mmap(-1, 8192)
                page[:] = b"d" * 8192
                print(os.pwrite(fd, page, 4096), os.fstat(fd).st_size, get("a")[4090:4100])
                """)
            #expect(lines == [#"8192 12288 b'\x00\x00\x00\x00\x00\x00dddd'"#])
            #expect(fileSystem.calls("write") == ["write a @4096 +8192"])
        }
    }
}
