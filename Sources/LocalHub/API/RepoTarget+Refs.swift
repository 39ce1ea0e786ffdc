import Foundation
import HTTPTypes

/// refs, commits, branches, tags, settings.
extension RepoTarget {
    private struct RefBody: Encodable {
        let name: String
        let ref: String
        let targetCommit: String
    }

    func refs() async throws -> Answer {
        let found = try await blocking { try repository.refs() }
        func group(_ prefix: String) -> [RefBody] {
            found.filter { $0.ref.hasPrefix(prefix) }.map {
                RefBody(
                    name: String($0.ref.dropFirst(prefix.count)), ref: $0.ref,
                    targetCommit: $0.commit)
            }
        }
        var groups = [
            "branches": group("refs/heads/"), "tags": group("refs/tags/"),
            "converts": group("refs/convert/"),
        ]
        if request.flag("include_prs") { groups["pullRequests"] = group("refs/pr/") }
        return try .json(groups)
    }

    // MARK: commits

    private struct CommitBody: Encodable {
        struct Author: Encodable {
            let user: String
            let avatar = ""
        }

        let id: String
        let title: String
        let message: String
        let authors: [Author]
        let date: String
    }

    func commits(_ revision: String) async throws -> Answer {
        let limit = min(request.parameter("limit").map { Int($0) ?? 0 } ?? 100, 1000)
        let page = request.parameter("p").map { Int($0) ?? -1 } ?? 0
        guard limit > 0, page >= 0, page < 1_000_000 else {
            throw Refusal.badRequest("Invalid page or limit")
        }
        let (found, total) = try await blocking {
            try caller.requireContent(of: repo, registry: registry)
            let commit = try commit(named: revision)
            return try repository.history(of: commit, skip: page * limit, limit: limit)
        }
        let bodies = found.map {
            CommitBody(
                id: $0.oid, title: $0.title, message: $0.body, authors: [.init(user: $0.author)],
                date: JSONText.date($0.date))
        }
        var headers: HTTPFields = [.totalCount: String(total)]
        if (page + 1) * limit < total {
            let url = request.url(service.endpoint, replacing: "p", with: String(page + 1))
            headers[.link] = "<\(url)>; rel=\"next\""
        }
        return try .json(bodies, headers: headers)
    }

    // MARK: Branches

    private struct BranchBody: Decodable {
        let startingPoint: String?
        let emptyBranch: Bool?
        let overwrite: Bool?
    }

    func createBranch(_ name: String) async throws -> Answer {
        let bytes = try await request.collect(max: 1 << 16)
        let body = try Self.decode(BranchBody.self, bytes.isEmpty ? Array("{}".utf8) : bytes)
        try await blocking {
            try caller.requireWrite(to: repo)
            let ref = "refs/heads/" + name
            guard !name.hasPrefix("refs/"), RevisionName.isValidRef(ref) else {
                throw Refusal.badRequest("Invalid reference for a branch: \(name)")
            }
            let start =
                body.emptyBranch == true
                ? try emptyCommit() : try commit(named: body.startingPoint ?? "main").oid
            let old = try repository.commit(.ref(ref))?.oid
            guard old == nil || body.overwrite == true else {
                throw Refusal.conflict("Reference \(ref) already exists", url: nil)
            }
            guard try repository.moveRef(ref, from: old, to: start) else {
                throw Refusal.conflict("Reference \(ref) clashes with another one", url: nil)
            }
        }
        return .text(.ok, "OK")
    }

    /// A commit without history that holds what a new repo does.
    private func emptyCommit() throws -> String {
        let writer = try CommitWriter(
            repository: repository, incoming: service.hub.folder.incoming)
        let source = try writer.blob(Array(GitAttributes.initial.utf8))
        return try writer.commit(
            parent: nil, message: .init(author: caller.author, text: "initial commit"),
            changes: [.put(path: ".gitattributes", source, isExecutable: false)])
    }

    func deleteBranch(_ name: String) async throws -> Answer {
        try await blocking {
            try caller.requireWrite(to: repo)
            guard name != "main" else {
                throw Refusal.forbidden("Cannot delete refs/heads/main")
            }
            try deleteRef("refs/heads/" + name, shown: name)
        }
        return .text(.ok, "OK")
    }

    private func deleteRef(_ ref: String, shown name: String) throws {
        guard RevisionName.isValidRef(ref), try repository.commit(.ref(ref)) != nil else {
            throw Refusal.revisionNotFound(name)
        }
        try repository.deleteRef(ref)
    }

    // MARK: Tags

    private struct TagBody: Decodable {
        let tag: String
        let message: String?
    }

    func createTag(_ revision: String) async throws -> Answer {
        let body = try await request.json(TagBody.self)
        try await blocking {
            try caller.requireWrite(to: repo)
            let ref = "refs/tags/" + body.tag
            guard !body.tag.hasPrefix("refs/"), RevisionName.isValidRef(ref) else {
                throw Refusal.badRequest("Invalid reference for a tag: \(body.tag)")
            }
            let target = try commit(named: revision).oid
            guard try repository.commit(.ref(ref)) == nil else {
                throw Refusal.conflict("Tag reference exists already", url: nil)
            }
            guard
                try repository.createTag(
                    body.tag, at: target, message: body.message ?? "", author: caller.author)
            else { throw Refusal.conflict("Tag reference exists already", url: nil) }
        }
        return .text(.ok, "OK")
    }

    func deleteTag(_ name: String) async throws -> Answer {
        try await blocking {
            try caller.requireWrite(to: repo)
            try deleteRef("refs/tags/" + name, shown: name)
        }
        return .text(.ok, "OK")
    }

    // MARK: Settings

    private struct SettingsBody: Decodable {
        let gated: JSONValue?
        let visibility: String?
        let `private`: Bool?
    }

    func changeSettings() async throws -> Answer {
        let body = try await request.json(SettingsBody.self)
        let gate: Gate??
        switch body.gated {
        case .string(let text):
            guard let known = Gate(rawValue: text) else {
                throw Refusal.unprocessable("Invalid gated: \(text)")
            }
            gate = .some(known)
        case .bool(false): gate = .some(nil)
        case nil: gate = nil
        default: throw Refusal.unprocessable("Invalid gated")
        }
        let isPrivate = body.private ?? body.visibility.map { $0 != "public" }
        try await blocking {
            try caller.requireWrite(to: repo)
            try registry.update(repo, isPrivate: isPrivate, gate: gate)
        }
        return .text(.ok, "OK")
    }

    static func decode<Body: Decodable>(_ type: Body.Type, _ bytes: [UInt8]) throws -> Body {
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch {
            throw Refusal.unprocessable("Invalid body: \(error)")
        }
    }
}
