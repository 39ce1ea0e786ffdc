import FuseBridge
import Testing

/// A mount that is not writable, over a file system that could be written to.
@Suite(.enabled(if: canMount, "needs /dev/fuse and root"))
struct ReadOnlyMountTests {
    @Test func nothingThatWritesArrives() throws {
        let fileSystem = MemoryFileSystem()
        try fileSystem.withTree { tree in
            try tree.write([104, 105], to: tree.make(FileName("a"), in: .root, .file), at: 0)
        }
        try withMount(of: fileSystem, isWritable: false) { mount in
            let lines = try mount.python(
                """
                print(get("a"))
                fd = os.open("a", os.O_RDONLY)
                os.fsync(fd)
                os.close(fd)
                os.fsync(os.open(".", os.O_RDONLY | os.O_DIRECTORY))
                calls = [
                    (os.open, "a", os.O_WRONLY), (os.open, "b", os.O_CREAT), (os.mkdir, "b"),
                    (os.unlink, "a"), (os.rename, "a", "b"), (os.chmod, "a", 0o600),
                    (os.truncate, "a", 0), (os.symlink, "a", "b"), (os.link, "a", "b"),
                    (os.setxattr, "a", "user.k", b"v"), (os.utime, "a"), (os.mknod, "b"),
                ]
                print({error(*call) for call in calls})
                """)
            #expect(lines == ["b'hi'", "{'EROFS'}"])
            #expect(fileSystem.calls("open") == ["open a r", "open a r"])
            let counts = mount.session.counters.snapshot
            #expect(counts["init"] == 1)
            #expect(counts["open"] == 2)
            // The answer to the first holds for all.
            #expect(counts["flush"] == 1)
            #expect(counts["write"] == nil)
            #expect(
                fileSystem.calls(
                    "create", "mknod", "mkdir", "symlink", "unlink", "rename", "setattr", "write",
                    "flush", "fsync", "fdatasync", "fsyncdir", "fallocate", "setxattr") == [])
        }
    }
}
