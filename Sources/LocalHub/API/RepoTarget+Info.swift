import Foundation

/// What `GET /api/models/ID` answers.
private struct RepoInfo: Encodable {
    struct Sibling: Encodable {
        let rfilename: String
        var size: Int?
        var blobId: String?
        var lfs: LFS?
    }

    struct LFS: Encodable {
        let sha256: String
        let size: Int
        let pointerSize: Int
    }

    var values: [String: JSONValue]
    var siblings: [Sibling]?

    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(_ text: String) { stringValue = text }
        init?(stringValue: String) { self.init(stringValue) }
        init?(intValue: Int) { nil }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        for (name, value) in values { try container.encode(value, forKey: Key(name)) }
        if let siblings { try container.encode(siblings, forKey: Key("siblings")) }
    }
}

extension RepoTarget {
    func info(_ revision: String?) async throws -> Answer {
        let expand = Set(
            request.parameters("expand").flatMap { $0.split(separator: ",") }.map(String.init))
        let withBlobs = request.flag("blobs")
        if repo.kind == .kernel { return try await kernelInfo(revision, expand, withBlobs) }
        let info = try await blocking {
            let commit = try commit(named: revision ?? "main")
            var info = RepoInfo(values: values(commit), siblings: nil)
            if expand.contains("usedStorage") {
                let total = try size(ofTree: commit.tree)
                info.values["usedStorage"] = .number(Double(total))
            }
            if expand.isEmpty || expand.contains("siblings") {
                info.siblings = try siblings(commit, withBlobs: withBlobs)
            }
            if !expand.isEmpty {
                let always: Set = ["_id", "id"]
                info.values = info.values.filter {
                    always.contains($0.key) || expand.contains($0.key)
                }
            }
            return info
        }
        return try .json(info)
    }

    /// Kernels have fewer members, no list of files, and nothing that could be asked for besides.
    private func kernelInfo(
        _ revision: String?, _ expand: Set<String>, _ withBlobs: Bool
    ) async throws -> Answer {
        guard expand.isEmpty, !withBlobs else {
            throw Refusal.badRequest("Kernels know neither expand nor blobs")
        }
        let all = try await blocking { values(try commit(named: revision ?? "main")) }
        let members: Set = [
            "id", "author", "downloads", "gated", "lastModified", "likes", "private", "sha",
        ]
        return try .json(
            RepoInfo(values: all.filter { members.contains($0.key) }, siblings: nil))
    }

    private func values(_ commit: CommitRecord) -> [String: JSONValue] {
        var values = Self.summary(repo)
        values["sha"] = .string(commit.oid)
        values["lastModified"] = .string(JSONText.date(commit.date))
        values["disabled"] = .bool(repo.isDisabled)
        values["cardData"] = .object([:])
        values["spaces"] = .array([])
        switch repo.kind {
        case .model: values["config"] = .object([:])
        case .dataset: values["description"] = .string("")
        case .space:
            values["sdk"] = repo.sdk.map(JSONValue.string) ?? .null
            values["runtime"] = .object(["stage": .string("STOPPED")])
        case .kernel: break
        }
        return values
    }

    /// What lists and the full answer share.
    static func summary(_ repo: RepoRecord) -> [String: JSONValue] {
        let id = repo.name.description
        var values: [String: JSONValue] = [
            "_id": .string(repo.id), "id": .string(id), "author": .string(repo.name.namespace),
            "private": .bool(repo.isPrivate),
            "gated": repo.gate.map { .string($0.rawValue) } ?? .bool(false),
            "downloads": .number(0), "likes": .number(0), "tags": .array([]),
            "createdAt": .string(JSONText.date(repo.created)),
        ]
        if repo.kind == .model { values["modelId"] = .string(id) }
        return values
    }

    private func siblings(
        _ commit: CommitRecord, withBlobs: Bool
    ) throws -> [RepoInfo.Sibling] {
        let walk = TreeWalk(root: commit.tree, prefix: "", isRecursive: true)
        let all = try walk.page(in: repository, after: nil, limit: .max).entries
        let files = all.filter { !$0.entry.kind.isDirectory }
        guard withBlobs else { return files.map { RepoInfo.Sibling(rfilename: $0.path) } }
        return try repository.describe(files).map { item in
            RepoInfo.Sibling(
                rfilename: item.path, size: item.contentSize, blobId: item.entry.oid,
                lfs: item.pointer.map {
                    RepoInfo.LFS(sha256: $0.oid, size: $0.size, pointerSize: item.size)
                })
        }
    }
}
