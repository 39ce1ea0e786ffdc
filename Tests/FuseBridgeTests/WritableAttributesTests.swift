import FuseBridge
import SystemPackage
import Testing

/// Attributes and extended attributes through a real mount, and what the kernel remembers of them.
@Suite(.enabled(if: canMount, "needs /dev/fuse and root"))
struct WritableAttributesTests {
    private let fileSystem = MemoryFileSystem()

    @Test func permissionsComeWithoutSetuid() throws {
        try withMount(of: fileSystem) { mount in
            let lines = try mount.python(
                """
                put("a")
                os.chmod("a", 0o6751)
                print(oct(os.stat("a").st_mode))
                os.mkdir("d")
                os.chmod("d", 0o1777)
                print(oct(os.stat("d").st_mode))
                """)
            #expect(lines == ["0o100751", "0o41777"])
            #expect(
                fileSystem.calls("setattr") == [
                    "setattr a permissions 751", "setattr d permissions 1777",
                ])
        }
    }

    @Test func ownersChangeOneByOne() throws {
        try withMount(of: fileSystem) { mount in
            let lines = try mount.python(
                """
                put("a")
                os.chown("a", 12, -1)
                os.chown("a", -1, 34)
                print(os.stat("a").st_uid, os.stat("a").st_gid)
                """)
            #expect(lines == ["12 34"])
            #expect(fileSystem.calls("setattr") == ["setattr a uid 12", "setattr a gid 34"])
        }
    }

    @Test func aRefusedChangeIsTheCallersError() throws {
        try withMount(of: fileSystem) { mount in
            fileSystem.fail(next: "setattr", with: .notPermitted)
            let lines = try mount.python(
                """
                put("a")
                print(error(os.chown, "a", 12, 34), os.stat("a").st_uid == os.getuid())
                """)
            #expect(lines == ["EPERM True"])
        }
    }

    @Test func modificationTimesAreSetAndAccessTimesAreNot() throws {
        try withMount(of: fileSystem) { mount in
            let lines = try mount.python(
                """
                put("a")
                os.utime("a", ns=(5, 1_700_000_000_123_456_789))
                print(os.stat("a").st_mtime_ns)
                os.utime("a", ns=(5, -1_500_000_000))
                print(os.stat("a").st_mtime_ns)
                os.utime("a")

                now, omit = (1 << 30) - 1, (1 << 30) - 2
                times = (ctypes.c_long * 4)(7, 7, 0, omit)
                c("utimensat", -100, b"a", times, 0)
                times = (ctypes.c_long * 4)(0, omit, 0, now)
                c("utimensat", -100, b"a", times, 0)
                """)
            #expect(lines == ["1700000000123456789", "-1500000000"])
            #expect(
                fileSystem.calls("setattr") == [
                    "setattr a modified at(nanoseconds: 1700000000123456789)",
                    "setattr a modified at(nanoseconds: -1500000000)", "setattr a modified now",
                    "setattr a", "setattr a modified now",
                ])
        }
    }

    @Test func extendedAttributesFollowTheirRule() throws {
        try withMount(of: fileSystem) { mount in
            let lines = try mount.python(
                """
                put("a")
                print(error(os.setxattr, "a", "user.k", b"v", os.XATTR_REPLACE))
                os.setxattr("a", "user.k", b"\\0\\xff", os.XATTR_CREATE)
                print(error(os.setxattr, "a", "user.k", b"v", os.XATTR_CREATE))
                print(os.getxattr("a", "user.k"), os.listxattr("a"))
                os.setxattr("a", "user.k", b"")
                print(os.getxattr("a", "user.k"))
                os.removexattr("a", "user.k")
                print(error(os.removexattr, "a", "user.k"), os.listxattr("a"))
                """)
            #expect(
                lines == [
                    "ENODATA", "EEXIST", #"b'\x00\xff' ['user.k']"#, "b''", "ENODATA []",
                ])
            #expect(
                fileSystem.calls("setxattr", "removexattr") == [
                    "setxattr a user.k [118] replace", "setxattr a user.k [0, 255] create",
                    "setxattr a user.k [118] create", "setxattr a user.k [] createOrReplace",
                    "removexattr a user.k", "removexattr a user.k",
                ])
        }
    }

    /// The kernel asks again for what a change may have touched, and for nothing else, although
    /// every answer may be kept for ever.
    @Test(arguments: [
        ("os.pwrite(fd, b'more', 0)", 1),
        ("os.pwrite(fd, b'more', 100)", 1),
        ("os.ftruncate(fd, 3)", 0),
        ("fallocate(fd, 0, 0, 50)", 1),
        ("os.chmod('a', 0o600)", 0),
        ("os.unlink('a')", 1),
        ("os.rename('a', 'b')", 1),
        ("os.rename('other', 'a')", 1),
        ("os.setxattr('a', 'user.k', b'v')", 1),
        ("get('other')", 0),
        ("pass", 0),
    ])
    func attributesAreAskedForAgainAfterAChange(_ change: String, _ count: Int) throws {
        try withMount(of: fileSystem) { mount in
            let lines = try mount.python(
                """
                put("other")
                put("a", b"x" * 10)
                fd = os.open("a", os.O_RDWR)
                os.fstat(fd)
                for name in (b"user.before", b"user.after"):
                    error(os.getxattr, fd, name)
                    if name == b"user.before":
                        \(change)
                    os.fstat(fd)
                os.fstat(fd)
                """)
            #expect(lines == [])
            let calls = fileSystem.calls("getxattr", "getattr")
            let start = calls.firstIndex(of: "getxattr a user.before")
            let asked = calls[(start ?? calls.startIndex)...].filter { $0 == "getattr a" }
            #expect(asked.count == count, "\(calls)")
        }
    }
}
