import Testing

@testable import HubClient

struct HubURITests {
    private static let endpoint = "https://hub.example.org:8080/hf"

    private func answer(_ text: String) -> String? {
        guard let uri = try? HubURI(parsing: text, endpoint: Self.endpoint) else { return nil }
        return [uri.repo.kind.rawValue, uri.repo.name, uri.revision?.name ?? "-", uri.path]
            .joined(separator: "|")
    }

    @Test(arguments: URIVector.all)
    func verdictsAreThoseOfTheOfficialClient(vector: URIVector) {
        // Where the official client knows no verdict, bare names are an addition of ours.
        guard vector.text.contains("://") || vector.answer != nil else { return }
        #expect(answer(vector.text) == vector.answer)
    }

    @Test(arguments: [
        ("org/model", "model|org/model|-|"), ("gpt2", "model|gpt2|-|"),
        ("gpt2@v1/dir", "model|gpt2|v1|dir"), ("datasets/squad", "dataset|squad|-|"),
        ("hf://kernels/org/k@v1/build", "kernel|org/k|v1|build"),
        ("https://huggingface.co/kernels/org/k", "kernel|org/k|-|"),
        ("datasets/org/ds@refs/pr/2/a", "dataset|org/ds|refs/pr/2|a"),
        ("org/model/sub/dir/", "model|org/model|-|sub/dir"),
    ])
    func bareNamesAreUnderstood(text: String, expected: String) {
        #expect(answer(text) == expected)
    }

    @Test func namesHaveALength() {
        let longest = String(repeating: "n", count: 96)
        #expect(answer("hf://\(longest)/\(longest)") == "model|\(longest)/\(longest)|-|")
        #expect(answer("hf://org/n\(longest)") == nil)
    }

    @Test(arguments: ["hf://buckets/org/b@main", "buckets/org/b@v1/x"])
    func bucketsHaveNoRevisions(text: String) {
        #expect {
            try HubURI(parsing: text)
        } throws: { error in
            (error as? HubURI.Invalid)?.description.contains("a bucket has no revisions") == true
        }
    }

    @Test func aBucketHasANamespace() {
        #expect(throws: HubURI.Invalid.self) { try HubURI(parsing: "buckets/org") }
    }

    @Test(arguments: [
        ("hf://dataset/org/x", "plural"), ("hf://gpt2", "namespace"), ("hf://org/m@", "'@'"),
        ("hf://org/a--b", "--"), ("hf://org/m//a", "empty segment"),
        ("https://example.com/org/m", "HF_ENDPOINT"), ("ftp://x/y", "hf://"), ("", "hf://"),
        ("https://huggingface.co/org/m/discussions", "discussions"),
    ])
    func messagesSayWhatToDo(text: String, words: String) {
        #expect {
            try HubURI(parsing: text)
        } throws: { error in
            (error as? HubURI.Invalid)?.description.contains(words) == true
        }
    }

    @Test(arguments: URIVector.all)
    func theCanonicalFormIsReadBack(vector: URIVector) throws {
        guard let uri = try? HubURI(parsing: vector.text, endpoint: Self.endpoint) else { return }
        #expect(try HubURI(parsing: uri.description) == uri)
    }
}
