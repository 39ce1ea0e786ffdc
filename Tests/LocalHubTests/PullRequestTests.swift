import Foundation
import Testing

@testable import LocalHub

@Suite struct PullRequestTests {
    private func propose(
        _ hub: TestHub, _ lines: [[String: Any]], parent: String? = nil,
        by client: WireClient? = nil
    ) async -> WireAnswer {
        await hub.commit(lines, revision: "main?create_pr=1", parent: parent, by: client)
    }

    /// Pull requests with the same parent do not get in each other's way.
    @Test func concurrentProposalsAllGetNumbers() async throws {
        try await TestHub.with { hub in
            let head = hub.git("rev-parse", "main")
            let urls = await withTaskGroup(of: String.self) { group in
                for number in 0..<8 {
                    group.addTask {
                        let answer = await propose(
                            hub, [TestHub.file("n\(number)", "\(number)")], parent: head)
                        return answer.object["pullRequestUrl"] as? String ?? ""
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            let expected = (1...8).map { hub.endpoint + "/org/repo/discussions/\($0)" }
            #expect(Set(urls) == Set(expected))
            #expect(hub.git("rev-parse", "main") == head)
            for number in 1...8 { #expect(hub.git("rev-parse", "refs/pr/\(number)^") == head) }
        }
    }

    /// A refused commit opens nothing.
    @Test func aRefusedProposalUsesNoNumber() async throws {
        try await TestHub.with { hub in
            let refused = await propose(hub, [TestHub.deletion("nope")])
            #expect(refused.status == 404)
            let foreign = await propose(
                hub, [TestHub.file("a", "a")], parent: String(repeating: "0", count: 40))
            #expect(foreign.status == 412)
            #expect(hub.git("for-each-ref", "refs/pr") == "")
            let list = await hub.anonymous.get(hub.api + "/discussions")
            #expect(list.object["count"] as? Int == 0)
            #expect(await propose(hub, [TestHub.file("a", "a")]).status == 200)
            #expect(hub.git("for-each-ref", "--format=%(refname)", "refs/pr") == "refs/pr/1")
        }
    }

    @Test func lookingLeavesNothingBehind() async throws {
        try await TestHub.with(["a.txt": Array("a\n".utf8)]) { hub in
            #expect(await propose(hub, [TestHub.file("a.txt", "b\n")]).status == 200)
            for (text, conflicts) in [("a\n", []), ("c\n", ["a.txt"])] {
                let lines = [TestHub.file("a.txt", text), TestHub.file("other", text)]
                #expect(await hub.commit(lines).status == 200)
                let before = hub.git("count-objects", "-v")
                let details = await hub.anonymous.get(hub.api + "/discussions/1?diff=1")
                #expect(details.object["filesWithConflicts"] as? [String] == conflicts)
                #expect(hub.git("count-objects", "-v") == before)
            }
            let left = try FileManager.default.contentsOfDirectory(atPath: hub.root + "/incoming")
            #expect(left == [])
        }
    }

    @Test func whatMayBeAskedOfADiscussion() async throws {
        try await TestHub.with { hub in
            let all = hub.api + "/discussions"
            func post(_ path: String, _ body: [String: Any]) async -> Int {
                await hub.writer.post(all + path, json: body).status
            }
            #expect(await post("", ["title": "Talk"]) == 200)
            #expect(await post("/1/comment", ["comment": ""]) == 422)
            #expect(await post("/1/comment", ["text": "x"]) == 422)
            #expect(await post("/1/title", ["title": "x"]) == 422)
            #expect(await post("/1/status", ["status": "merged"]) == 422)
            #expect(await post("/1/status", ["status": "open"]) == 400)
            #expect(await post("/1/merge", [:]) == 400)
            #expect(await post("/2/comment", ["comment": "x"]) == 404)
            #expect(await post("/0/comment", ["comment": "x"]) == 404)
            #expect(await post("/1/pin", [:]) == 404)
            #expect(await hub.writer.get(all + "?type=nonsense").status == 400)
            #expect(await hub.writer.get(all + "?p=-1").status == 400)
            #expect(await hub.writer.send("DELETE", all + "/1/ref").status == 400)
        }
    }

    /// What is proposed to a gated repo is content: only who may read it may see or add to it.
    @Test func gatedReposKeepTheirChangesToThemselves() async throws {
        try await TestHub.with(["a.txt": Array("secret\n".utf8)]) { hub in
            #expect(await propose(hub, [TestHub.file("a.txt", "public\n")]).status == 200)
            let name = try #require(RepoName("org/repo"))
            let repo = try #require(try hub.registry.repo(.model, name))
            try hub.registry.update(repo, gate: .some(.manual))
            let own = await hub.writer.get(hub.api + "/discussions/1?diff=1")
            #expect((own.object["diff"] as? String)?.contains("-secret") == true)
            let foreign = await hub.stranger.get(hub.api + "/discussions/1?diff=1")
            #expect(foreign.status == 200)
            #expect(foreign.object["diff"] == nil)
            let refused = await propose(hub, [TestHub.file("b", "b")], by: hub.stranger)
            #expect(refused.headers["x-error-code"] == "GatedRepo")
        }
    }
}
