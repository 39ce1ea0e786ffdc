import Testing

@testable import VolumeDrivers

@Suite struct AttributesTests {
    private func plan(_ attributes: [String: String]) throws -> VolumePlan {
        try VolumePlan(
            VolumeName("vol"), attributes: attributes, endpoint: "https://hub.example",
            tokenFile: "/state/tokens/vol")
    }

    @Test func aRepoIsMountedReadOnlyForEverybody() throws {
        let plan = try plan(["sourceType": "repo", "sourceId": "org/model"])
        #expect(plan.source == "hf://models/org/model")
        #expect(plan.flags == ["--allow-other"])
        #expect(plan.environment == ["HF_TOKEN_PATH": "/state/tokens/vol"])
        #expect(!plan.isWritable && !plan.commitsAtEnd)
    }

    @Test(arguments: [
        (["sourceType": "dataset", "sourceId": "org/d"], "hf://datasets/org/d"),
        (["sourceType": "space", "sourceId": "org/s", "revision": "v1"], "hf://spaces/org/s@v1"),
        (["sourceType": "repo", "sourceId": "datasets/org/d"], "hf://datasets/org/d"),
        (["sourceType": "repo", "sourceId": "hf://org/m@v1/a"], "hf://models/org/m@v1/a"),
        (
            ["sourceType": "model", "sourceId": "org/m", "subpath": "/a//b/"],
            "hf://models/org/m/a/b"
        ),
        // As charts write what is not set.
        (["sourceType": "model", "sourceId": "org/m", "revision": ""], "hf://models/org/m"),
    ])
    func sources(_ attributes: [String: String], _ source: String) throws {
        #expect(try plan(attributes).source == source)
    }

    @Test func attributesAndMountOptionsBecomeFlags() throws {
        let plan = try plan([
            "sourceType": "repo", "sourceId": "org/m", "readOnly": "false", "message": "a, b",
            "cacheSize": "2Gi", "uid": "1", "mountFlags": "uid=2,--commit=manual",
            "mountOptions": "no-replay", "volumeMountGroup": "7", "onConflict": "pr",
        ])
        #expect(
            plan.flags == [
                "--cache-size=2GiB", "--commit=manual", "--gid=7", "--message=a, b",
                "--on-conflict=pr", "--uid=2", "--umask=002", "--no-replay", "--allow-other",
                "--writable", "--workspace=csi.vol",
            ])
        #expect(plan.isWritable && !plan.commitsAtEnd)
    }

    @Test func aGroupLeavesAMaskThatIsGiven() throws {
        let plan = try plan([
            "sourceType": "repo", "sourceId": "org/m", "umask": "027", "volumeMountGroup": "7",
        ])
        #expect(plan.flags == ["--gid=7", "--umask=027", "--allow-other"])
    }

    @Test(arguments: [
        ("plain-1.2", nil, "plain-1.2"),
        ("plain", "7", "plain_g7"),
        ("a/b", nil, "a_2fb"),
        ("a_2fb", nil, "a_5f2fb"),
        ("/a", nil, "v_-_2fa"),
        ("v/a", nil, "v_2fa"),
        ("..", nil, "v_-.."),
        ("ä\n", nil, "v_-_c3_a4_0a"),
    ])
    func names(_ id: String, _ group: String?, _ name: String) throws {
        #expect(try VolumeName(ofID: id, group: group).text == name)
    }

    @Test func anIDThatIsTooLongHasNoName() {
        #expect(throws: VolumeError.self) {
            try VolumeName(ofID: String(repeating: "/", count: 100), group: nil)
        }
    }
}
