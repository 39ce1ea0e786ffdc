import Foundation
import Testing

@testable import LocalHub

/// Histories taken apart and written anew, and what outlives the server.
@Suite struct HistoryTests {
    @Test func rawDiffsParse() throws {
        let zeros = String(repeating: "0", count: 40)
        let (one, two) = (String(repeating: "1", count: 40), String(repeating: "2", count: 40))
        let output = [
            ":000000 100644 \(zeros) \(one) A", "new",
            ":100644 100644 \(one) \(two) R087", "old name", "new\tname",
            ":100644 000000 \(two) \(zeros) D", "gone.bin",
            "3\t0\tnew", "1\t1\t", "old name", "new\tname", "-\t-\tgone.bin", "",
        ].joined(separator: "\0")
        let files = try GitRepository.parse(changes: Array(output.utf8))
        #expect(files.map(\.status) == ["A", "R087", "D"])
        #expect(files.map(\.isBinary) == [false, false, true])
        #expect(files.map(\.newPath) == [nil, "new\tname", nil])
        #expect(files[1].path == "old name")
        #expect(throws: GitError.self) {
            try GitRepository.parse(changes: Array(output.utf8.prefix(150)))
        }
    }

    /// The stream arrives in pieces; wherever it is cut, what passes is the same.
    @Test func theFilterPassesTheSameHoweverTheStreamIsCut() {
        let (kept, gone) = (String(repeating: "a", count: 40), String(repeating: "b", count: 40))
        // The message looks like commands, and must pass as it is.
        let message = "M 100644 \(gone) x\ndata 9\n"
        let stream = Array(
            """
            feature done
            commit refs/heads/main
            data \(message.utf8.count)
            \(message)M 100644 \(kept) a b
            M 100755 \(gone) dir/"c
            D other

            done

            """.utf8)
        let expected = String(decoding: stream, as: UTF8.self)
            .replacing("M 100755 \(gone) dir", with: "D dir")
        for cut in 0...stream.count {
            var filter = HistoryFilter(removed: [gone])
            filter.take(stream[..<cut])
            filter.take(stream[cut...])
            #expect(String(decoding: filter.passed, as: UTF8.self) == expected, "cut at \(cut)")
        }
    }

    /// A path that held a text before it held the removed object must not show that text again.
    @Test func aRemovedObjectLeavesNothingOlderInItsPlace() async throws {
        let large = TestHub.binary(5000)
        try await TestHub.with(["p.bin": large, "other": Array("o".utf8)]) { hub in
            let text =
                ["key": "file", "value": ["path": "p.bin", "content": "text"]] as [String: Any]
            #expect(await hub.commit([text]).status == 200)
            #expect(await hub.commit([TestHub.lfsFile("p.bin", large)]).status == 200)
            let url = hub.api + "/lfs-files/" + TestHub.sha256(large) + "?rewriteHistory=true"
            #expect(await hub.writer.send("DELETE", url).status == 200)
            #expect(hub.git("ls-tree", "-r", "--name-only", "main") == ".gitattributes\nother")
            #expect(hub.git("show", "main~1:p.bin") == "text")
            #expect(hub.git("fsck", "--strict", "--no-dangling") == "")
            let left = try FileManager.default.contentsOfDirectory(atPath: hub.root + "/incoming")
            #expect(left == [])
        }
    }

    @Test func namesTalkAndForgottenCommitsOutliveTheServer() async throws {
        try await TestHub.with(["a.txt": Array("a".utf8)]) { hub in
            let old = hub.git("rev-parse", "main")
            let squash = await hub.writer.post(hub.api + "/super-squash/main", json: [:])
            #expect(squash.status == 200)
            let talk = await hub.writer.post(
                hub.api + "/discussions", json: ["title": "Proposal", "pullRequest": true])
            #expect(talk.object["num"] as? Int == 1)
            let move = await hub.writer.post(
                hub.endpoint + "/api/repos/move",
                json: ["fromRepo": "org/repo", "toRepo": "org/renamed"])
            #expect(move.status == 200)
            await hub.server.stop()

            let again = try await LocalHubServer.start(root: hub.root)
            let api = again.endpoint + "/api/models/org/"
            let redirect = await hub.writer.get(api + "repo/tree/main?recursive=true")
            #expect(redirect.status == 307)
            #expect(
                redirect.headers["location"]
                    == "/api/models/org/renamed/tree/main?recursive=true")
            let list = await hub.writer.get(api + "renamed/discussions")
            #expect(list.object["count"] as? Int == 1)
            let details = await hub.writer.get(api + "renamed/discussions/1?diff=1")
            #expect(details.object["diff"] as? String == "")
            let lost = await hub.writer.get(api + "renamed/revision/" + old)
            #expect(lost.headers["x-error-code"] == "RevisionNotFound")
            await again.stop()
        }
    }
}
