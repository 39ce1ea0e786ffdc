import FuseBridge
import Testing

/// Changes the kernel did not make, and how it learns of them.
@Suite(.enabled(if: canMount, "needs /dev/fuse and root"))
struct NotifierTests {
    private let fileSystem = MemoryFileSystem(cachesListings: true)
    private let name = FileName("a")

    /// Notifies and waits until the kernel has been told.
    private func notify(_ mount: TestMount, _ body: (Notifier) -> Bool) {
        let notifier = Notifier(session: mount.session)
        #expect(body(notifier))
        notifier.close()
    }

    @Test(arguments: [true, false])
    func aReplacedNameIsLookedUpAgain(byExpiry: Bool) throws {
        try withMount(of: fileSystem) { mount in
            let look = "print(get('a'))"
            try fileSystem.withTree { tree in
                try tree.write([1], to: tree.make(name, in: .root, .file), at: 0)
            }
            #expect(try mount.python(look) == [#"b'\x01'"#])
            try fileSystem.withTree { tree in
                try tree.remove(name, in: .root)
                try tree.write([2], to: tree.make(name, in: .root, .file), at: 0)
            }
            #expect(try mount.python(look) == [#"b'\x01'"#])
            notify(mount) { notifier in
                byExpiry
                    ? notifier.expireEntry(name, in: .root)
                    : notifier.invalidateEntry(name, in: .root)
            }
            #expect(try mount.python(look) == [#"b'\x02'"#])
            // What has expired is asked for once to be compared, and once more when it is another.
            let count = byExpiry ? 3 : 2
            #expect(fileSystem.calls("lookup") == Array(repeating: "lookup / a", count: count))
        }
    }

    @Test func anAbsentNameIsLookedUpAgain() throws {
        try withMount(of: fileSystem) { mount in
            let look = "print(os.path.exists('a'))"
            #expect(try mount.python(look) == ["False"])
            try fileSystem.withTree { _ = try $0.make(name, in: .root, .file) }
            #expect(try mount.python(look) == ["False"])
            notify(mount) { $0.invalidateEntry(name, in: .root) }
            #expect(try mount.python(look) == ["True"])
        }
    }

    @Test func aListingIsReadAgain() throws {
        try withMount(of: fileSystem) { mount in
            let look = "print(os.listdir(), os.stat('.').st_mtime)"
            let before = try mount.python(look)
            try fileSystem.withTree { _ = try $0.make(name, in: .root, .file) }
            #expect(try mount.python(look) == before)
            notify(mount) { $0.invalidateEntry(name, in: .root) }
            #expect(try mount.python(look) == before, "a name the kernel does not know")
            notify(mount) { $0.invalidateDirectory(.root) }
            #expect(try mount.python(look) == ["['a'] 3.0"])
        }
    }

    @Test func whatTheKernelDoesNotKnowIsNoError() throws {
        try withMount(of: fileSystem) { mount in
            notify(mount) { notifier in
                notifier.invalidateEntry(name, in: NodeID(77))
                    && notifier.expireEntry(name, in: .root)
                    && notifier.invalidateDirectory(NodeID(78))
            }
            let lines = try mount.python("print(os.listdir())")
            #expect(lines == ["[]"])
        }
    }

    /// A directory the kernel changes itself needs no notification, cached listing or not.
    @Test func ownChangesAreSeenInACachedListing() throws {
        try withMount(of: fileSystem) { mount in
            let lines = try mount.python(
                """
                put("a")
                print(os.listdir(), os.listdir())
                put("b")
                print(os.listdir())
                os.unlink("a")
                print(os.listdir(), error(os.stat, "a"))
                os.rename("b", "c")
                print(os.listdir(), error(os.stat, "b"), get("c"))
                """)
            #expect(
                lines == [
                    "['a'] ['a']", "['a', 'b']", "['b'] ENOENT", "['c'] ENOENT b''",
                ])
        }
    }

    /// A name that is listed without its node is there, and is looked up when it is used.
    @Test func namesMayBeListedWithoutTheirNodes() throws {
        let fileSystem = MemoryFileSystem(offersEntries: false)
        try withMount(of: fileSystem) { mount in
            try fileSystem.withTree { tree in
                _ = try tree.make(name, in: .root, .file)
                _ = try tree.make(FileName("d"), in: .root, .directory)
            }
            let lines = try mount.python(
                """
                print([(entry.name, entry.is_dir(), entry.inode()) for entry in os.scandir()])
                print(os.stat("a").st_ino)
                """)
            #expect(lines == ["[('a', False, 2), ('d', True, 3)]", "2"])
            #expect(fileSystem.calls("lookup") == ["lookup / a"])
        }
    }
}
