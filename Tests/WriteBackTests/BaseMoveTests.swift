import HubClient
import Testing

@testable import WriteBack

/// Every small edit of ours against every small edit of others: what shows, what is contested, and
/// that nothing of either side is lost.
@Suite struct BaseMoveTests {
    private typealias Files = MemoryBase.Files

    private static let start: Files = [
        "a": "A", "d/x": "X", "d/y": "Y", "d/s/z": "Z", "e/v": "V",
    ]

    /// What we do: in the tree, and what comes of it.
    private struct Ours: Sendable {
        let name: String
        let edit: @Sendable (EditedTree) throws -> Void
        let result: @Sendable (inout [String: String]) -> Void
    }

    private static func move(_ files: inout Files, _ old: String, _ new: String) {
        for (path, text) in files where path == old || path.hasPrefix(old + "/") {
            files[path] = nil
            files[new + path.dropFirst(old.count)] = text
        }
    }

    private static func clear(_ files: inout Files, _ folder: String) {
        for path in files.keys where path.hasPrefix(folder + "/") { files[path] = nil }
    }

    private static func removeFolder(_ tree: EditedTree) throws {
        for path in ["d/x", "d/y", "d/s/z"] { try tree.remove(path) }
        try tree.removeDirectory("d/s")
        try tree.removeDirectory("d")
    }

    private static let ours: [Ours] = [
        Ours(name: "write a", edit: { try $0.write("a", "our a") }, result: { $0["a"] = "our a" }),
        Ours(name: "remove a", edit: { try $0.remove("a") }, result: { $0["a"] = nil }),
        Ours(
            name: "rename a b", edit: { try $0.rename("a", "b") }, result: { move(&$0, "a", "b") }),
        Ours(
            name: "rename a d/x", edit: { try $0.rename("a", "d/x") },
            result: { move(&$0, "a", "d/x") }),
        Ours(
            name: "write d/x", edit: { try $0.write("d/x", "our x") },
            result: { $0["d/x"] = "our x" }),
        Ours(name: "remove d/x", edit: { try $0.remove("d/x") }, result: { $0["d/x"] = nil }),
        Ours(
            name: "write d/s/z", edit: { try $0.write("d/s/z", "our z") },
            result: { $0["d/s/z"] = "our z" }),
        Ours(
            name: "add d/n", edit: { try $0.write("d/n", "our n") }, result: { $0["d/n"] = "our n" }
        ),
        Ours(name: "add b", edit: { try $0.write("b", "our b") }, result: { $0["b"] = "our b" }),
        Ours(
            name: "add m/f",
            edit: {
                try $0.makeDirectory("m")
                try $0.write("m/f", "our f")
            }, result: { $0["m/f"] = "our f" }),
        Ours(name: "remove d", edit: { try removeFolder($0) }, result: { clear(&$0, "d") }),
        Ours(name: "move d m", edit: { try $0.rename("d", "m") }, result: { move(&$0, "d", "m") }),
        Ours(
            name: "move d m, write m/x",
            edit: {
                try $0.rename("d", "m")
                try $0.write("m/x", "our x")
            },
            result: {
                move(&$0, "d", "m")
                $0["m/x"] = "our x"
            }),
        Ours(
            name: "move d e/m, look",
            edit: {
                try $0.rename("d", "e/m")
                _ = try $0.shown()
            }, result: { move(&$0, "d", "e/m") }),
        Ours(
            name: "file d",
            edit: {
                try removeFolder($0)
                try $0.write("d", "our d")
            },
            result: {
                clear(&$0, "d")
                $0["d"] = "our d"
            }),
        Ours(
            name: "folder a",
            edit: {
                try $0.remove("a")
                try $0.makeDirectory("a")
                try $0.write("a/f", "our f")
            },
            result: {
                $0["a"] = nil
                $0["a/f"] = "our f"
            }),
        Ours(
            name: "new d",
            edit: {
                try removeFolder($0)
                try $0.makeDirectory("d")
                try $0.write("d/x", "our x")
            },
            result: {
                clear(&$0, "d")
                $0["d/x"] = "our x"
            }),
    ]

    private static let theirs: [(name: String, edit: @Sendable (inout [String: String]) -> Void)] =
        [
            ("write a", { $0["a"] = "their a" }),
            ("remove a", { $0["a"] = nil }),
            (
                "folder a",
                {
                    $0["a"] = nil
                    $0["a/q"] = "their q"
                }
            ),
            ("write d/x", { $0["d/x"] = "their x" }),
            ("remove d/x", { $0["d/x"] = nil }),
            ("remove d/s", { clear(&$0, "d/s") }),
            ("remove d", { clear(&$0, "d") }),
            (
                "file d",
                {
                    clear(&$0, "d")
                    $0["d"] = "their d"
                }
            ),
            ("add d/n", { $0["d/n"] = "their n" }),
            ("add d/t/u", { $0["d/t/u"] = "their u" }),
            ("add b", { $0["b"] = "their b" }),
            ("folder b", { $0["b/f"] = "their f" }),
            ("add m/f", { $0["m/f"] = "their f" }),
            ("add m/g", { $0["m/g"] = "their g" }),
            ("add e/m", { $0["e/m"] = "their m" }),
        ]

    private static func isAt(_ path: String, _ roots: [String]) -> Bool {
        roots.contains { path == $0 || path.hasPrefix($0 + "/") }
    }

    /// Paths on which both sides disagree, by what each side has alone.
    private static func disputes(_ ours: Files, _ theirs: Files) -> Bool {
        func changed(_ files: Files) -> Set<String> {
            Set(files.keys).union(start.keys).filter { files[$0] != start[$0] }
        }
        let (mine, foreign) = (changed(ours), changed(theirs))
        if mine.intersection(foreign).contains(where: { ours[$0] != theirs[$0] }) { return true }
        let (put, foreignPut) = (
            mine.filter { ours[$0] != nil }, foreign.filter { theirs[$0] != nil }
        )
        return put.contains { path in
            foreignPut.contains { path.hasPrefix($0 + "/") || $0.hasPrefix(path + "/") }
        }
    }

    private static func merged(_ ours: Files, _ theirs: Files, _ contested: [String]) -> Files {
        var merged: Files = [:]
        // What they removed to have a file in the place of the folder, and we did not edit, is removed.
        let ours = ours.filter { path, text in
            text != start[path] || !theirs.keys.contains { path.hasPrefix($0 + "/") }
        }
        for path in Set(ours.keys).union(theirs.keys).union(start.keys) {
            let isOurs = isAt(path, contested) || ours[path] != start[path]
            merged[path] = isOurs ? ours[path] : theirs[path]
        }
        return merged
    }

    private static func outermost(_ paths: [String]) -> [String] {
        paths.filter { path in !paths.contains { path.hasPrefix($0 + "/") } }
    }

    @Test(arguments: 0..<ours.count, 0..<theirs.count)
    func oneAgainstOne(_ our: Int, _ their: Int) throws {
        try check(Self.ours[our], [Self.theirs[their]])
    }

    @Test(arguments: 0..<ours.count)
    func oneAgainstTwo(_ our: Int) throws {
        for first in Self.theirs.indices {
            // Some of the pairs: all of them take minutes.
            for second in Self.theirs.indices
            where second > first && (first + second + our) % 10 == 0 {
                try check(Self.ours[our], [Self.theirs[first], Self.theirs[second]])
            }
        }
    }

    private func check(
        _ our: Ours, _ their: [(name: String, edit: @Sendable (inout [String: String]) -> Void)]
    ) throws {
        let (old, new) = (MemoryBase.commit("1"), MemoryBase.commit("2"))
        var theirs = Self.start
        for edit in their { edit.edit(&theirs) }
        // A repo cannot have a file and a folder of one name.
        if theirs.keys.contains(where: { path in theirs.keys.contains { $0.hasPrefix(path + "/") } }
        ) {
            return
        }
        var ours = Self.start
        our.result(&ours)
        let what = "\(our.name) against \(their.map(\.name))"
        let source = MemoryBase([old: Self.start, new: theirs])
        let difference = try TreeDifference(from: old, to: new, source: source)
        for side in [ConflictSide.ours, .theirs] {
            let tree = try EditedTree(on: old, of: source)
            try our.edit(tree)
            #expect(try tree.shown() == ours, "\(what)")
            func move(
                _ rule: Overlay.MoveRule, yielding: [String] = []
            ) throws -> Overlay.Moving {
                try tree.with { () throws(WriteBackError) in
                    try tree.overlay.move(
                        to: new, from: old, over: difference,
                        yielding: Set(yielding.map { ExactPath($0) }), rule
                    ) { _, _ in }
                }
            }
            let first = try move(.unlessContested)
            let contested = Self.outermost(first.contested)
            if Self.disputes(ours, theirs) { #expect(!contested.isEmpty, "\(what)") }
            if contested.isEmpty {
                #expect(tree.overlay.baseCommit == new)
                #expect(try tree.shown() == Self.merged(ours, theirs, []), "\(what)")
                try tree.reopen()
                #expect(try tree.shown() == Self.merged(ours, theirs, []), "\(what), reopened")
                continue
            }
            #expect(tree.overlay.baseCommit == old, "\(what)")
            #expect(try tree.shown() == ours, "\(what): refused, and yet")
            let moving = try move(.unlessBusy, yielding: side == .theirs ? contested : [])
            var expected = Self.merged(ours, theirs, contested)
            if side == .theirs {
                for path in expected.keys where Self.isAt(path, contested) { expected[path] = nil }
                for (path, text) in theirs where Self.isAt(path, contested) {
                    expected[path] = text
                }
            }
            for round in ["moved", "reopened"] {
                let shown = try tree.shown()
                let asides = shown.filter { Self.isAt($0.key, moving.asides) }
                #expect(
                    shown.filter { !Self.isAt($0.key, moving.asides) } == expected,
                    "\(what), \(side), \(round)")
                for (path, text) in ours
                where Self.isAt(path, contested) && Self.start[path] != text {
                    #expect(
                        side == .ours ? shown[path] == text : asides.values.contains(text),
                        "\(what), \(side), \(round): \(path) is lost")
                }
                try tree.reopen()
            }
        }
    }
}
