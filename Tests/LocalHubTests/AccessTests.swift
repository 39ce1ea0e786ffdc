import Testing

@testable import LocalHub

@Suite struct AccessTests {
    @Test func whoami() async throws {
        try await TestHub.with { hub in
            let answer = await hub.reader.get(hub.endpoint + "/api/whoami-v2")
            #expect(answer.object["name"] as? String == "reader")
            let auth = answer.object["auth"] as? [String: [String: String]]
            #expect(auth == nil, "auth holds more than texts")
            #expect(answer.text.contains("\"role\":\"read\""))
            #expect(await hub.anonymous.get(hub.endpoint + "/api/whoami-v2").status == 401)
            let wrong = await WireClient(token: "hf_no").get(hub.endpoint + "/api/whoami-v2")
            #expect(wrong.status == 401)
            #expect(
                wrong.object["error"] as? String == "Invalid credentials in Authorization header")
            #expect(wrong.headers["x-error-code"] == nil)
        }
    }

    @Test func missingAndPrivateReposLookAlike() async throws {
        try await TestHub.with { hub in
            try hub.add("org/secret", ["a": Array("a".utf8)], options: RepoOptions(isPrivate: true))
            for path in [
                "/api/models/org/secret", "/api/models/org/none", "/org/secret/resolve/main/a",
            ] {
                let nobody = await hub.anonymous.get(hub.endpoint + path)
                #expect(nobody.status == 401)
                #expect(nobody.headers["x-error-code"] == "RepoNotFound")
                #expect(nobody.headers["www-authenticate"] != nil)
                let other = await hub.stranger.get(hub.endpoint + path)
                #expect(other.status == 404)
                #expect(other.headers["x-error-code"] == "RepoNotFound")
            }
            #expect(await hub.reader.get(hub.endpoint + "/api/models/org/secret").status == 200)
            let lists = [hub.anonymous, hub.stranger, hub.reader]
            var counts: [Int] = []
            for client in lists {
                counts.append(await client.get(hub.endpoint + "/api/models?author=org").array.count)
            }
            #expect(counts == [1, 1, 2])
        }
    }

    @Test func gatedReposShowTheirListingOnly() async throws {
        try await TestHub.with { hub in
            let repo = try hub.add(
                "org/gated", ["a": Array("a".utf8)], options: RepoOptions(gate: .manual))
            let base = hub.endpoint + "/api/models/org/gated"
            let file = hub.endpoint + "/org/gated/resolve/main/a"
            #expect(await hub.anonymous.get(base).object["gated"] as? String == "manual")
            #expect(await hub.anonymous.get(base + "/tree/main").status == 200)
            for url in [file, base + "/commits/main"] {
                let nobody = await hub.anonymous.get(url)
                #expect(nobody.status == 401)
                #expect(nobody.headers["x-error-code"] == "GatedRepo")
                let other = await hub.stranger.get(url)
                #expect(other.status == 403)
                #expect(other.headers["x-error-code"] == "GatedRepo")
            }
            try hub.registry.grantAccess(to: repo, user: "stranger")
            #expect(await hub.stranger.follow(file).text == "a")
            try hub.registry.revokeAccess(to: repo, user: "stranger")
            #expect(await hub.stranger.get(file).status == 403)
        }
    }

    @Test func disabledReposSayTheExactWords() async throws {
        try await TestHub.with(["a": Array("a".utf8)]) { hub in
            let repo = try hub.add("org/repo", [:])
            try hub.registry.update(repo, isDisabled: true)
            let answer = await hub.writer.get(hub.endpoint + "/org/repo/resolve/main/a")
            #expect(answer.status == 403)
            #expect(answer.headers["x-error-message"] == "Access to this resource is disabled.")
            #expect(await hub.writer.get(hub.api).object["disabled"] as? Bool == true)
        }
    }

    @Test func onlyWriteTokensOfTheNamespaceWrite() async throws {
        try await TestHub.with { hub in
            let preupload: [String: Any] = ["files": [["path": "a", "sample": "YQ==", "size": 1]]]
            let expected = [
                (hub.reader, 403), (hub.stranger, 403), (hub.anonymous, 401), (hub.writer, 200),
            ]
            for (client, status) in expected {
                let answer = await client.post(hub.api + "/preupload/main", json: preupload)
                #expect(answer.status == status)
                let commit = await hub.commit([TestHub.file("a", "a")], by: client)
                #expect(commit.status == status)
            }
            #expect(hub.git("rev-list", "--count", "main") == "2")
        }
    }

    @Test func oldIdsAndOtherLettersRedirect() async throws {
        try await TestHub.with(["a": Array("a".utf8)]) { hub in
            let repo = try hub.add("org/repo", [:])
            try hub.registry.addAlias("was/this", for: repo)
            let cases = [
                ("/api/models/repo?x=1", "/api/models/org/repo?x=1"),
                ("/api/models/ORG/Repo/tree/main", "/api/models/org/repo/tree/main"),
                ("/repo/resolve/main/a%20b", "/org/repo/resolve/main/a%20b"),
                ("/api/models/was/this/refs", "/api/models/org/repo/refs"),
                ("/Org/repo.git/info/lfs/objects/batch", "/org/repo.git/info/lfs/objects/batch"),
            ]
            for (path, location) in cases {
                let answer = await hub.anonymous.get(hub.endpoint + path)
                #expect(answer.status == 307)
                #expect(answer.headers["location"] == location)
            }
            try hub.add("other/repo", [:])
            let ambiguous = await hub.writer.get(hub.endpoint + "/api/models/repo")
            #expect(ambiguous.status == 404)
        }
    }

    @Test func everyAnswerOfTheHubTellsItsRateLimit() async throws {
        var options = LocalHubServer.Options()
        options.quotas = ["resolvers": 2]
        try await TestHub.with(["a": Array("a".utf8)], options: options) { hub in
            let api = await hub.anonymous.get(hub.api)
            #expect(api.headers["ratelimit"]?.hasPrefix("\"api\";r=") == true)
            #expect(
                api.headers["ratelimit-policy"]?.hasPrefix("\"fixed window\";\"api\";q=") == true)
            let page = await hub.anonymous.get(hub.endpoint + "/nope")
            #expect(page.headers["ratelimit"]?.hasPrefix("\"pages\"") == true)
            var statuses: [Int] = []
            for _ in 0..<3 {
                let url = hub.endpoint + "/org/repo/resolve/main/a"
                let answer = await hub.anonymous.get(url)
                statuses.append(answer.status)
                if answer.status == 429 {
                    #expect(answer.headers["ratelimit"]?.hasPrefix("\"resolvers\";r=0;t=") == true)
                }
            }
            // The window may end between two of them; then none is refused.
            #expect(statuses == [307, 307, 429] || statuses == [307, 307, 307])
        }
    }
}
