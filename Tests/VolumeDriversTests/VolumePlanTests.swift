import Testing

@testable import VolumeDrivers

@Suite struct VolumePlanTests {
    private func plan(_ options: [String: String]) throws -> VolumePlan {
        try VolumePlan(
            VolumeName("vol"), options, endpoint: "https://hub.example", checksFiles: true)
    }

    @Test func aRepoIsMountedReadOnlyForEverybody() throws {
        let plan = try plan(["repo": "org/model"])
        #expect(plan.source == "hf://models/org/model")
        #expect(plan.flags == ["--allow-other"])
        #expect(!plan.isWritable && !plan.commitsAtEnd)
    }

    @Test(arguments: [
        (["uri": "hf://datasets/org/d@v1/sub"], "hf://datasets/org/d@v1/sub"),
        (["repo": "datasets/org/d", "revision": "a/b"], "hf://datasets/org/d@a%2Fb"),
        (["uri": "hf://org/m", "revision": "refs/pr/3"], "hf://models/org/m@refs/pr/3"),
        (["uri": "hf://org/m", "subpath": "/a//b/"], "hf://models/org/m/a/b"),
        (["uri": "https://hub.example/org/m/tree/main/x"], "hf://models/org/m@main/x"),
        (["repo": "gpt2", "revision": "v1"], "gpt2@v1"),
        (["uri": "http://o.example/org/m", "endpoint": "http://o.example"], "hf://models/org/m"),
    ])
    func sources(_ options: [String: String], _ source: String) throws {
        #expect(try plan(options).source == source)
    }

    @Test func eachWritableVolumeHasItsOwnEdits() throws {
        let plan = try plan(["repo": "org/m", "rw": "", "uid": "1000", "commit": "close"])
        #expect(
            plan.flags == [
                "--commit=close", "--uid=1000", "--allow-other", "--writable",
                "--workspace=docker.vol",
            ])
        #expect(plan.isWritable && plan.commitsAtEnd)
        #expect(plan.hubFlags.isEmpty)
    }

    @Test func aManualVolumeKeepsItsEdits() throws {
        #expect(try !plan(["repo": "org/m", "rw": "1", "commit": "manual"]).commitsAtEnd)
    }

    @Test func whoAsksIsAlsoSaidToTheCheck() throws {
        let plan = try plan(["repo": "org/m", "token-file": "/dev/null", "read-timeout": "5"])
        #expect(plan.hubFlags == ["--read-timeout=5", "--token-file=/dev/null"])
    }

    @Test(
        arguments: [
            ([:], "needs the option uri"),
            (["repo": "org/m", "uri": "hf://org/m"], "exclude each other"),
            (["repo": "org/m", "reop": "x"], "unknown option 'reop'"),
            (["repo": "org/m", "token": "hf_secret"], "unknown option 'token'"),
            (["repo": "not a repo"], "is no repo id"),
            (["uri": "hf://org/m@v1", "revision": "v2"], "names a revision already"),
            (["uri": "hf://org/m/a", "subpath": "b"], "names a folder already"),
            (["repo": "org/m", "subpath": "a/../.."], "is a folder of the repo"),
            (["repo": "org/m", "revision": ""], "needs a value"),
            (["repo": "org/m", "rw": "maybe"], "true or false, not 'maybe'"),
            (["repo": "org/m", "commit": "close"], "goes with rw=true"),
            (["repo": "org/m", "rw": "true", "follow": "5"], "goes without rw"),
            (["repo": "org/m", "uid": ""], "needs a value"),
            (["repo": "org/m", "token-file": "token"], "is a path from the root"),
            (["repo": "org/m", "token-file": "/nowhere/token"], "cannot be read"),
        ] as [([String: String], String)])
    func refused(_ options: [String: String], _ sentence: String) {
        let error = #expect(throws: VolumeError.self) { try plan(options) }
        guard case .badOptions(let words) = error else {
            Issue.record("refused otherwise: \(String(describing: error))")
            return
        }
        #expect(words.contains(sentence))
    }

    @Test(arguments: ["", ".", "..", "a/b", "-a", "a b", "ä", String(repeating: "a", count: 201)])
    func noNames(_ name: String) {
        #expect(throws: VolumeError.self) { try VolumeName(name) }
    }

    @Test(arguments: ["a", "0", "my_volume-1.2", String(repeating: "a", count: 200)])
    func names(_ name: String) throws {
        #expect(try VolumeName(name).text == name)
    }
}
