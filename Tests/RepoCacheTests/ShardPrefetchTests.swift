import HubClient
import Testing
import TestSupport

@testable import RepoCache

@Suite(.timeLimit(.minutes(5)))
struct ShardPrefetchTests {
    @Test(
        "a shard's name says in which indexes it can stand",
        arguments: [
            ("model-00001-of-00003.safetensors", ["model.safetensors.index.json"]),
            ("pytorch_model-00002-of-00002.bin", ["pytorch_model.bin.index.json"]),
            ("a-b-3-of-12.safetensors", ["a-b.safetensors.index.json"]),
            (
                "model.fp16-00001-of-00002.safetensors",
                ["model.fp16.safetensors.index.json", "model.safetensors.index.fp16.json"]
            ),
            ("a.b.c-1-of-2.bin", ["a.b.c.bin.index.json", "a.b.bin.index.c.json"]),
            (".hidden-1-of-2.bin", [".hidden.bin.index.json"]),
            ("end.-1-of-2.bin", ["end..bin.index.json"]),
            ("model.safetensors", []), ("model-00004-of-00003.safetensors", []),
            ("-1-of-2.bin", []), ("model-1-of-.bin", []), ("model-1-of-2.txt", []),
            ("1-of-2.bin", []), ("model-1-of-99999999999999999999.bin", []), ("", []),
            (".", []),
        ] as [(String, [String])])
    func names(shard: String, indexes: [String]) {
        #expect(ShardIndex.names(forShard: shard) == indexes)
    }

    @Test(
        "an index is read, and nothing else is",
        arguments: [
            (#"{"weight_map":{"x":"b.bin","y":"a.bin","z":"b.bin"}}"#, ["a.bin", "b.bin"]),
            (#"{"weight_map":{}}"#, nil), (#"{"weight_map":[]}"#, nil), ("{}", nil), ("", nil),
            (#"{"weight_map":{"x":"../b.bin"}}"#, nil), (#"{"weight_map":{"x":""}}"#, nil),
            (#"{"weight_map":{"x":7}}"#, nil), (#"{"weight_map":{"x":"b"#, nil),
        ] as [(String, [String]?)])
    func index(text: String, shards: [String]?) {
        #expect(ShardIndex.shards(Array(text.utf8)) == shards)
    }

    @Test("an index that names too many files is left alone")
    func tooMany() {
        let members = (0...ShardIndex.shardCountMax).map { #""\#($0)":"\#($0).bin""# }
        let text = #"{"weight_map":{"# + members.joined(separator: ",") + "}}"
        #expect(ShardIndex.shards(Array(text.utf8)) == nil)
    }

    /// Three shards of 24 MiB with their index, listed.
    private struct Model {
        static let shardBytes = 24 << 20
        let fixture = CacheFixture()
        let cache: RepoCache
        let index: ContentLocation
        let shards: [ContentLocation]

        /// - Parameter variant: What stands in the shards' names before their numbers, and in the
        ///   index's before its end.
        init(variant: String = "") throws {
            let fixture = self.fixture
            cache = try fixture.open()
            shards = (0..<3).map { number in
                fixture.add(
                    lfs: sampleBytes(Self.shardBytes, seed: UInt64(number + 1)),
                    path: "m\(variant)-\(number)-of-2.safetensors")
            }
            let map = shards.map { #""t\#($0.path)":"\#($0.path)""# }.joined(separator: ",")
            index = fixture.add(
                git: Array(#"{"weight_map":{\#(map)}}"#.utf8),
                path: "m.safetensors.index\(variant).json")
            let snapshot = RepoSnapshot(
                repo: CacheFixture.repo, commit: CacheFixture.commit, commitDateNanoseconds: 0)
            fixture.origin.add(
                snapshot, revision: .main,
                entries: (shards + [index]).map {
                    TreeEntry(path: $0.path, kind: .file($0.content, size: $0.size))
                })
            let listed = Answer<Bool>()
            cache.snapshots.listing(
                snapshot: snapshot, path: "", treeOID: nil, priority: .demand
            ) { _ in listed.give(true) }
            _ = listed.wait()
        }

        var presentBytes: [UInt64] {
            shards.map { cache.contents.presentBytes(of: $0.content, size: $0.size) }
        }

        func read(_ file: ContentLocation, upTo end: Int) throws {
            let content = try cache.contents.open(file)
            defer { content.close() }
            for offset in stride(from: 0, to: min(end, Int(file.size)), by: 1 << 20) {
                _ = try content.readWaiting(UInt64(offset), 1 << 20).get()
            }
        }
    }

    @Test(
        "all shards are fetched once one of them is streamed, each byte once",
        arguments: ["", ".fp16"])
    func streamed(variant: String) throws {
        let model = try Model(variant: variant)
        defer { model.fixture.end() }
        try model.read(model.index, upTo: 1 << 20)
        try model.read(model.shards[1], upTo: Model.shardBytes)
        let all = UInt64(Model.shardBytes)
        #expect(eventually { model.presentBytes == [all, all, all] })
        // What was delivered is counted when it was taken, which makes it present.
        let counted = 3 * all + model.index.size
        #expect(eventually { model.fixture.origin.counts.bytesDelivered >= counted })
        #expect(model.fixture.origin.counts.bytesDelivered == counted)
    }

    @Test("a reader of the beginning of a shard is no reader of the model")
    func beginning() throws {
        let model = try Model()
        defer { model.fixture.end() }
        try model.read(model.index, upTo: 1 << 20)
        try model.read(model.shards[0], upTo: 4 << 20)
        #expect(model.presentBytes[1...].allSatisfy { $0 == 0 })
    }

    @Test("without the index nothing is known of other shards")
    func noIndex() throws {
        let model = try Model()
        defer { model.fixture.end() }
        try model.read(model.shards[0], upTo: Model.shardBytes)
        #expect(model.presentBytes[1...].allSatisfy { $0 == 0 })
    }
}
