import Foundation
import HTTPTypes
import XetCodec

/// What is in a bucket. There are no folders: they are beginnings of paths.
extension BucketTarget {
    private enum Entry: Encodable {
        case file(BucketFile)
        case folder(path: String, uploaded: Date)

        private enum CodingKeys: String, CodingKey {
            case type, path, size, xetHash, mtime, uploadedAt, contentType
        }

        var path: String {
            switch self {
            case .file(let file): file.path
            case .folder(let path, _): path
            }
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(path, forKey: .path)
            switch self {
            case .file(let file):
                try container.encode("file", forKey: .type)
                try container.encode(file.size, forKey: .size)
                try container.encode(file.hash.text, forKey: .xetHash)
                try container.encodeIfPresent(file.modified.map(JSONText.date), forKey: .mtime)
                try container.encode(JSONText.date(file.uploaded), forKey: .uploadedAt)
                try container.encodeIfPresent(file.contentType, forKey: .contentType)
            case .folder(_, let uploaded):
                try container.encode("directory", forKey: .type)
                try container.encode(JSONText.date(uploaded), forKey: .uploadedAt)
            }
        }
    }

    /// Entries of a page; clients may ask for more than of a repo's tree.
    private static let pageMax = 5000
    private static let pageUsual = 1000

    /// - Parameter prefix: text that paths begin with, not only whole names.
    func tree(_ prefix: String) async throws -> Answer {
        let isFlat = request.parameter("recursive").map {
            !["false", "0"].contains($0.lowercased())
        }
        // A server with small pages, as tests have one, has them here too.
        let limitMax = service.pageSizeMax < Self.pageUsual ? service.pageSizeMax : Self.pageMax
        let usual = min(limitMax, Self.pageUsual)
        let asked = request.parameter("limit").map { Int($0) ?? 0 } ?? usual
        guard asked > 0 else { throw Refusal.badRequest("Invalid limit") }
        let limit = min(asked, limitMax)
        let cursor = request.parameter("cursor")
        let entries = try await blocking {
            if isFlat ?? true {
                return try registry.files(
                    in: bucket, prefix: prefix, after: cursor, limit: limit + 1
                ).map { Entry.file($0) }
            }
            let all = try registry.files(in: bucket, prefix: prefix, after: nil, limit: nil)
            let level = Self.level(all, below: prefix)
            return Array(level.filter { $0.path.isBehind(cursor) }.prefix(limit + 1))
        }
        var headers: HTTPFields = [:]
        if entries.count > limit {
            let url = request.url(
                service.endpoint, replacing: "cursor", with: entries[limit - 1].path)
            headers[.link] = "<\(url)>; rel=\"next\""
        }
        return try .json(entries.prefix(limit).map { $0 }, headers: headers)
    }

    /// Files and folders of one level: what is directly below `prefix`, and what is beside it and
    /// begins alike.
    private static func level(_ files: [BucketFile], below prefix: String) -> [Entry] {
        let depth = prefix.utf8.count { $0 == UInt8(ascii: "/") } + 1
        var entries: [Entry] = []
        var folders: [String: Int] = [:]
        for file in files {
            let parts = file.path.split(separator: "/")
            let isBelow =
                prefix.isEmpty || prefix.hasSuffix("/") || !file.path.hasPrefix(prefix + "/")
            let shown = isBelow ? depth : depth + 1
            guard parts.count > shown else {
                entries.append(.file(file))
                continue
            }
            let path = parts[..<shown].joined(separator: "/")
            if let index = folders[path], case .folder(_, let uploaded) = entries[index] {
                entries[index] = .folder(path: path, uploaded: max(uploaded, file.uploaded))
            } else {
                folders[path] = entries.count
                entries.append(.folder(path: path, uploaded: file.uploaded))
            }
        }
        return entries.sorted { $1.path.isBehind($0.path) }
    }

    // MARK: paths-info

    private struct PathsBody: Decodable {
        let paths: [String]
    }

    private static let pathsMax = 1000

    func pathsInfo() async throws -> Answer {
        let body = try await request.json(PathsBody.self)
        guard body.paths.count <= Self.pathsMax else {
            throw Refusal.badRequest("Too many paths: at most \(Self.pathsMax)")
        }
        let entries = try await blocking {
            try body.paths.compactMap { try registry.file($0, in: bucket).map { Entry.file($0) } }
        }
        return try .json(entries)
    }
}

extension String {
    /// Whether the text comes after another in the order of bytes; after nothing in any case.
    fileprivate func isBehind(_ other: String?) -> Bool {
        guard let other else { return true }
        return other.utf8.lexicographicallyPrecedes(utf8)
    }
}
