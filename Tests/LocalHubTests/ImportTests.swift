import Foundation
import Testing

@testable import LocalHub

@Suite struct ImportTests {
    @Test func anImportIsOneCommitOnTopOfWhatIsThere() async throws {
        try await TestHub.with(["a": Array("1".utf8), "b": Array("b".utf8)]) { hub in
            try hub.add("org/repo", ["a": Array("2".utf8), "deep/c.bin": [1, 0, 2]])
            #expect(hub.git("show", "main:a") == "2")
            #expect(hub.git("show", "main:b") == "b")
            #expect(hub.git("rev-list", "--count", "main") == "3")
            let store = hub.server.hub.lfs(try hub.add("org/repo", [:]))
            #expect(store.size(TestHub.sha256([1, 0, 2])) == 3)
        }
    }

    @Test func anImportOfTheSameAddsNothing() async throws {
        let files: [String: [UInt8]] = ["a": Array("1".utf8), "odd": [0, 1, 2]]
        try await TestHub.with(files) { hub in
            let head = hub.git("rev-parse", "main")
            try hub.add("org/repo", files)
            #expect(hub.git("rev-parse", "main") == head)
            #expect(hub.git("show", "main:.gitattributes").contains("/odd filter=lfs"))
        }
    }

    @Test func manyFilesListedInPages() async throws {
        var files: [String: [UInt8]] = [:]
        for number in 0..<2500 { files["d\(number % 50)/f\(number)"] = Array("\(number)".utf8) }
        try await TestHub.with(files) { hub in
            var url: String? = hub.api + "/tree/main?recursive=true"
            var paths: Set<String> = []
            var pages = 0
            while let page = url {
                let answer = await hub.anonymous.get(page)
                let found = answer.array.compactMap { $0["path"] as? String }
                #expect(paths.isDisjoint(with: found))
                paths.formUnion(found)
                url = answer.next
                pages += 1
            }
            #expect(paths.count == 2500 + 50 + 1)
            #expect(pages == 3)
        }
    }

    @Test func foldersThatCannotBeInARepo() async throws {
        try await TestHub.with { hub in
            #expect(throws: HubError.self) {
                try hub.add("org/repo", ["a\\b": Array("x".utf8)])
            }
            #expect(throws: HubError.self) {
                let repo = try hub.add("org/repo", [:])
                _ = try FolderImport(
                    hub: hub.server.hub, repo: repo, folder: hub.root + "/none"
                ).run(author: "t", message: "m")
            }
            #expect(hub.git("rev-list", "--count", "main") == "1")
        }
    }
}
