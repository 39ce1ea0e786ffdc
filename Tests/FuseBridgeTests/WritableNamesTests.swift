import FuseBridge
import SystemPackage
import Testing

/// Making, removing and renaming through a real mount: what arrives, and what programs see.
@Suite(.enabled(if: canMount, "needs /dev/fuse and root"))
struct WritableNamesTests {
    private let fileSystem = MemoryFileSystem()

    @Test func aNewFileIsMadeAndOpenedByOneRequest() throws {
        try withMount(of: fileSystem) { mount in
            let lines = try mount.python(
                """
                os.umask(0o027)
                os.setegid(4321)
                os.seteuid(1234)
                fd = os.open("a", os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND, 0o4666)
                status = os.fstat(fd)
                print(oct(status.st_mode), status.st_uid, status.st_gid, status.st_size)
                print(error(os.open, "a", os.O_CREAT | os.O_EXCL | os.O_RDWR))
                """)
            #expect(lines == ["0o100640 1234 4321 0", "EEXIST"])
            #expect(fileSystem.calls("create", "open") == ["create / a 640 rw excl append"])
        }
    }

    @Test func aRefusedCreationIsTheCallersError() throws {
        try withMount(of: fileSystem) { mount in
            fileSystem.fail(next: "create", with: .noSpace)
            let lines = try mount.python(#"print(error(os.open, "a", os.O_CREAT | os.O_WRONLY))"#)
            #expect(lines == ["ENOSPC"])
        }
    }

    @Test func onlyRegularFilesAreMadeByMknod() throws {
        try withMount(of: fileSystem) { mount in
            let lines = try mount.python(
                """
                os.mknod("a", 0o600 | stat.S_IFREG)
                print(oct(os.stat("a").st_mode))
                print(error(os.mknod, "b", 0o600 | stat.S_IFIFO))
                print(error(os.mknod, "b", 0o600 | stat.S_IFSOCK))
                print(error(os.mknod, "b", 0o600 | stat.S_IFCHR, os.makedev(1, 3)))
                """)
            #expect(lines == ["0o100600", "EPERM", "EPERM", "EPERM"])
            #expect(fileSystem.calls("mknod", "open") == ["mknod / a 600"])
        }
    }

    @Test func directoriesAreMadeAndRemoved() throws {
        try withMount(of: fileSystem) { mount in
            let lines = try mount.python(
                """
                os.mkdir("d", 0o2777)
                os.mkdir("d/e", 0o700)
                print(oct(os.stat("d").st_mode), os.listdir("d"))
                print(error(os.rmdir, "d"))
                os.rmdir("d/e")
                print(os.listdir("d"))
                os.rmdir("d")
                print(error(os.stat, "d"), os.listdir())
                """)
            #expect(lines == ["0o40755 ['e']", "ENOTEMPTY", "[]", "ENOENT []"])
            #expect(
                fileSystem.calls("mkdir", "rmdir") == [
                    "mkdir / d 755", "mkdir d e 700", "rmdir / d", "rmdir d e", "rmdir / d",
                ])
        }
    }

    @Test func symbolicLinksKeepTheirText() throws {
        try withMount(of: fileSystem) { mount in
            let lines = try mount.python(
                """
                put("a", b"through the link")
                os.symlink("./a", "link")
                print(os.readlink("link"), os.lstat("link").st_size, get("link"))
                """)
            #expect(lines == ["./a 3 b'through the link'"])
            #expect(fileSystem.calls("symlink") == ["symlink / link ./a"])
        }
    }

    @Test func hardLinksAndUnnamedFilesAreRefused() throws {
        try withMount(of: fileSystem) { mount in
            let lines = try mount.python(
                """
                put("a")
                print(error(os.link, "a", "b"), error(os.link, "a", "b"))
                print(error(os.open, ".", os.O_TMPFILE | os.O_RDWR) in ("EOPNOTSUPP", "ENOTSUP"))
                print(os.listdir())
                """)
            #expect(lines == ["EPERM EPERM", "True", "['a']"])
        }
    }

    @Test func aRemovedFileLivesAsLongAsItIsOpen() throws {
        try withMount(of: fileSystem) { mount in
            let lines = try mount.python(
                """
                fd = os.open("a", os.O_CREAT | os.O_RDWR)
                os.write(fd, b"before")
                print(os.fstat(fd).st_nlink)
                os.unlink("a")
                print(os.fstat(fd).st_nlink, error(os.stat, "a"))
                os.write(fd, b" and after")
                os.ftruncate(fd, 15)
                os.fchmod(fd, 0o600)
                os.fsync(fd)
                put("a", b"another")
                print(os.pread(fd, 100, 0), os.fstat(fd).st_size, get("a"))
                os.close(fd)
                """)
            #expect(lines == ["1", "0 ENOENT", "b'before and afte' 15 b'another'"])
            #expect(fileSystem.calls("unlink") == ["unlink / a"])
            #expect(fileSystem.calls("fsync") == ["fsync a"])
        }
    }

    @Test func aReplacedFileLivesAsLongAsItIsOpen() throws {
        try withMount(of: fileSystem) { mount in
            let lines = try mount.python(
                """
                put("old", b"old")
                put("new", b"new")
                with open("old", "rb") as file:
                    os.rename("new", "old")
                    print(file.read(), get("old"), os.fstat(file.fileno()).st_nlink)
                    print(os.stat("old").st_nlink)
                """)
            #expect(lines == ["b'old' b'new' 0", "1"])
        }
    }

    @Test func renamesArriveWithTheirRule() throws {
        try withMount(of: fileSystem) { mount in
            let lines = try mount.python(
                """
                put("a", b"a")
                put("b", b"b")
                print(error(renameat2, "a", "b", 1))  # RENAME_NOREPLACE
                renameat2("a", "c", 1)
                renameat2("b", "c", 2)  # RENAME_EXCHANGE
                print(get("b"), get("c"))
                print(error(renameat2, "b", "d", 2))
                print(error(renameat2, "b", "d", 4))  # RENAME_WHITEOUT
                print(error(renameat2, "b", "d", 1 | 2))
                os.rename("b", "c")
                print(get("c"), sorted(os.listdir()))
                """)
            #expect(
                lines == [
                    "EEXIST", "b'a' b'b'", "ENOENT", "EINVAL", "EINVAL", "b'a' ['c']",
                ])
            #expect(
                fileSystem.calls("rename") == [
                    "rename / a / c noReplace", "rename / b / c exchange", "rename / b / c replace",
                ])
        }
    }

    @Test func whatIsInARenamedDirectoryStaysKnown() throws {
        try withMount(of: fileSystem) { mount in
            let lines = try mount.python(
                """
                os.makedirs("d/e")
                put("d/e/file", b"text")
                before = os.stat("d/e/file").st_ino
                os.mkdir("other")
                os.rename("d", "other/f")
                print(os.stat("other/f/e/file").st_ino == before, get("other/f/e/file"))
                print(error(os.stat, "d"), error(os.rename, "other", "other/f/g"))
                """)
            #expect(lines == ["True b'text'", "ENOENT EINVAL"])
            #expect(fileSystem.calls("rename") == ["rename / d other f replace"])
            // Each name was looked up before it was made, and nothing was by its new path but the
            // new name itself, before the rename.
            #expect(!fileSystem.calls("lookup").contains("lookup d e/file"))
            #expect(fileSystem.calls("lookup").filter { $0 == "lookup e file" }.count == 1)
        }
    }
}
