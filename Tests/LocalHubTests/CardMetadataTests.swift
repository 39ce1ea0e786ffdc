import Testing

@testable import LocalHub

@Suite struct CardMetadataTests {
    private func errors(_ metadata: String) -> Int {
        CardMetadata("---\n\(metadata)\n---\n# Card\n").errors.count
    }

    @Test func whatPasses() {
        let good = [
            "license: mit", "license: [mit, apache-2.0]", "language: no", "language:\n- en\n- no",
            "tags: []", "tags:\n- a\n- \"1\"", "base_model: org/x", "base_model:\n- org/x",
            "model-index:\n- name: x\n  results: []", "pretty_name: \"123\"",
            "unknown: {a: [1, 2]}",
            "license: mit\n# a comment", "license_name: |\n  long\n  text",
        ]
        for text in good { #expect(errors(text) == 0, "\(text)") }
    }

    @Test func whatDoesNot() {
        let bad = [
            "license: 123", "license: true", "license: {a: b}", "license: [1]", "license:",
            "tags: one", "tags: [[a]]", "tags:\n- 1", "language: 2024-01-01", "datasets: org/x",
            "pretty_name: 1.0", "pipeline_tag: [a]", "model-index: x", "- a list", "only words",
        ]
        for text in bad { #expect(errors(text) == 1, "\(text)") }
        #expect(errors("license: 1\ntags: 2") == 2, "each is told")
    }

    @Test func whatIsNoYAML() {
        let broken = [
            "a: [", "a: b: c", "a: \"open", "\ta: b", "a: 1\na: 2", "a: &x [*y]", "{a: b",
            "a: 'it's'", "? [", "%bad", "a: @x",
        ]
        for text in broken { #expect(errors(text) == 1, "\(text)") }
    }

    @Test func whereMetadataIs() {
        #expect(CardMetadata("---\nlicense: 1\n").errors.count == 1, "no end")
        #expect(CardMetadata("---\r\nlicense: 1\r\n---\r\n").errors.count == 1, "CRLF")
        for text in ["", "# Card\n", "# Card\n---\nlicense: 1\n---\n", "---\n---\n", "---\n\n---"] {
            let verdict = CardMetadata(text)
            #expect(verdict.errors.isEmpty && verdict.warnings.count == 1, "\(text)")
        }
    }

    @Test func aBadReadmeIsNotCommitted() async throws {
        try await TestHub.with { hub in
            let head = hub.git("rev-parse", "main")
            let bad = "---\nlicense: [\n---\n"
            let refused = await hub.commit([
                TestHub.file("README.md", bad), TestHub.file("a", "a"),
            ])
            #expect(refused.status == 400)
            #expect(hub.git("rev-parse", "main") == head)
            #expect(await hub.commit([TestHub.file("sub/README.md", bad)]).status == 200)
            let answer = await hub.anonymous.post(
                hub.endpoint + "/api/validate-yaml",
                json: ["content": bad, "repoType": "model"])
            #expect(answer.status == 400)
            #expect((answer.object["errors"] as? [[String: String]])?.count == 1)
        }
    }
}
