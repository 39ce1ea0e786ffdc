import HTTPTypes

/// tree, paths-info, treesize.
extension RepoTarget {
    func tree(_ revision: String, _ path: String) async throws -> Answer {
        let isExpanded = request.flag("expand")
        let isRecursive = request.flag("recursive")
        let limitMax = min(service.pageSizeMax, isExpanded ? 100 : 1000)
        let asked = request.parameter("limit").map { Int($0) ?? 0 } ?? limitMax
        guard asked > 0 else { throw Refusal.badRequest("Invalid limit") }
        let limit = min(asked, limitMax)
        let path = Self.trimmed(path)
        let cursor = try request.parameter("cursor").map { text in
            guard let cursor = TreeCursor(text) else { throw Refusal.badRequest("Invalid cursor") }
            return cursor
        }
        let page: Page = try await blocking {
            let commit = try commit(named: revision)
            return try self.page(
                TreeQuery(
                    commit: commit, path: path, isRecursive: isRecursive, isExpanded: isExpanded,
                    cursor: cursor, limit: limit))
        }
        var headers: HTTPFields = [:]
        if let next = page.next {
            let url = request.url(service.endpoint, replacing: "cursor", with: next.text)
            headers[.link] = "<\(url)>; rel=\"next\""
        }
        return try .json(page.entries, headers: headers)
    }

    private struct TreeQuery {
        let commit: CommitRecord
        let path: String
        let isRecursive: Bool
        let isExpanded: Bool
        let cursor: TreeCursor?
        let limit: Int
    }

    private struct Page: Sendable {
        let entries: [TreeEntryBody]
        let next: TreeCursor?
    }

    private func page(_ query: TreeQuery) throws -> Page {
        let root: String
        if let cursor = query.cursor {
            guard try repository.holdsTree(cursor.tree) else {
                throw Refusal.badRequest("Invalid cursor")
            }
            root = cursor.tree
        } else {
            guard let entry = try repository.entry(query.path, at: query.commit),
                entry.kind.isDirectory
            else { throw Refusal.entryNotFound(commit: query.commit.oid) }
            root = entry.oid
        }
        let walk = TreeWalk(root: root, prefix: query.path, isRecursive: query.isRecursive)
        do {
            let (found, hasMore) = try walk.page(
                in: repository, after: query.cursor?.path, limit: query.limit)
            let entries = try bodies(found, query.commit, isExpanded: query.isExpanded)
            let next = hasMore ? found.last.map { TreeCursor(tree: root, path: $0.path) } : nil
            return Page(entries: entries, next: next)
        } catch TreeWalk.Failure.staleCursor {
            throw Refusal.badRequest("Invalid cursor")
        }
    }

    private func bodies(
        _ found: [PathEntry], _ commit: CommitRecord, isExpanded: Bool
    ) throws -> [TreeEntryBody] {
        let items = try repository.describe(found)
        let commits =
            isExpanded ? try repository.lastCommits(of: found.map(\.path), at: commit) : [:]
        let hashes = try xetHashes(of: items.compactMap(\.pointer))
        return items.map { item in
            TreeEntryBody(
                item, lastCommit: commits[ExactText(item.path)],
                xetHash: item.pointer.flatMap { hashes[$0.oid] })
        }
    }

    static func trimmed(_ path: String) -> String {
        path.pathParts.joined(separator: "/")
    }

    // MARK: paths-info

    private struct PathsBody: Decodable {
        let paths: [String]
        let expand: Bool

        private enum CodingKeys: String, CodingKey {
            case paths, expand
        }

        init(paths: [String], expand: Bool) {
            self.paths = paths
            self.expand = expand
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            if let one = try? container.decode(String.self, forKey: .paths) {
                paths = [one]
            } else {
                paths = try container.decode([String].self, forKey: .paths)
            }
            expand = try container.decodeIfPresent(Bool.self, forKey: .expand) ?? false
        }
    }

    private static let formParametersMax = 1000
    private static let pathsMax = 2000

    func pathsInfo(_ revision: String) async throws -> Answer {
        let body = try await pathsBody()
        guard body.paths.count <= Self.pathsMax else {
            throw Refusal.badRequest("Too many paths: at most \(Self.pathsMax)")
        }
        let entries = try await blocking {
            let commit = try commit(named: revision)
            var found: [PathEntry] = []
            for path in body.paths.map(Self.trimmed) where !path.isEmpty {
                guard let entry = try repository.entry(path, at: commit),
                    entry.kind != .submodule
                else { continue }
                found.append(PathEntry(path: path, entry: entry))
            }
            return try bodies(found, commit, isExpanded: body.expand)
        }
        return try .json(entries)
    }

    private func pathsBody() async throws -> PathsBody {
        guard request.headers[.contentType]?.hasPrefix("application/json") != true else {
            return try await request.json(PathsBody.self)
        }
        let text = String(decoding: try await request.collect(max: 4 << 20), as: UTF8.self)
        let pairs = URLText.pairs(text)
        guard pairs.count <= Self.formParametersMax else {
            throw Refusal.tooLarge("too many parameters")
        }
        let expand = pairs.last { $0.name == "expand" }?.value.lowercased()
        return PathsBody(
            paths: pairs.filter { $0.name == "paths" || $0.name == "paths[]" }.map(\.value),
            expand: expand == "true" || expand == "1")
    }

    // MARK: treesize

    private struct TreeSizeBody: Encodable {
        let path: String
        let size: Int
    }

    func treeSize(_ revision: String, _ path: String) async throws -> Answer {
        let path = Self.trimmed(path)
        let size = try await blocking {
            let commit = try commit(named: revision)
            guard let entry = try repository.entry(path, at: commit) else {
                throw Refusal.entryNotFound(commit: commit.oid)
            }
            guard entry.kind.isDirectory else {
                return try repository.describe([PathEntry(path: path, entry: entry)])
                    .first?.contentSize ?? 0
            }
            return try self.size(ofTree: entry.oid)
        }
        return try .json(TreeSizeBody(path: path.isEmpty ? "/" : path, size: size))
    }

    /// Bytes of all files below a tree, LFS files by their content.
    func size(ofTree oid: String) throws -> Int {
        if let known = repository.engine.treeSizes[oid] { return known }
        let walk = TreeWalk(root: oid, prefix: "", isRecursive: true)
        var total = 0
        var last: String?
        repeat {
            let (found, hasMore) = try walk.page(in: repository, after: last, limit: 5000)
            total += try repository.describe(found).reduce(0) { $0 + $1.contentSize }
            last = hasMore ? found.last?.path : nil
        } while last != nil
        repository.engine.treeSizes.insert(oid, total)
        return total
    }
}
