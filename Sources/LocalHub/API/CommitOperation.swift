import Foundation

/// One line of a commit's body, as the client sends it.
enum CommitOperation: Sendable {
    struct Header: Decodable, Sendable {
        let summary: String
        let description: String?
        let parentCommit: String?
    }

    struct File: Decodable, Sendable {
        let path: String
        let content: String?
        let encoding: String?
        let oldPath: String?
    }

    struct LFSFile: Decodable, Sendable {
        let path: String
        let algo: String?
        let oid: String?
        let size: Int?
        let oldPath: String?
    }

    struct Deletion: Decodable, Sendable {
        let path: String
    }

    case header(Header)
    case file(File)
    case lfsFile(LFSFile)
    /// `deletedFile`, `deletedFolder` or `deletedEntry`: each takes files and folders.
    case deletion(Deletion)

    private struct Line: Decodable {
        let operation: CommitOperation

        private enum CodingKeys: String, CodingKey {
            case key, value
        }

        init(from decoder: any Decoder) throws {
            let line = try decoder.container(keyedBy: CodingKeys.self)
            switch try line.decode(String.self, forKey: .key) {
            case "header": operation = .header(try line.decode(Header.self, forKey: .value))
            case "file": operation = .file(try line.decode(File.self, forKey: .value))
            case "lfsFile": operation = .lfsFile(try line.decode(LFSFile.self, forKey: .value))
            case "deletedFile", "deletedFolder", "deletedEntry":
                operation = .deletion(try line.decode(Deletion.self, forKey: .value))
            case let key:
                throw Refusal.unprocessable("Unknown operation \(key)")
            }
        }
    }

    /// Reads a line of `application/x-ndjson`.
    static func parse(line: [UInt8]) throws -> CommitOperation {
        try decode(Line.self, line).operation
    }

    private struct Whole: Decodable {
        let summary: String
        let description: String?
        let parentCommit: String?
        let files: [File]?
        let lfsFiles: [LFSFile]?
        let deletedEntries: [Deletion]?
    }

    /// Reads the `application/json` form of the same.
    static func parse(whole: [UInt8]) throws -> [CommitOperation] {
        let body = try decode(Whole.self, whole)
        let header = Header(
            summary: body.summary, description: body.description, parentCommit: body.parentCommit)
        return [.header(header)] + (body.files ?? []).map(CommitOperation.file)
            + (body.lfsFiles ?? []).map(CommitOperation.lfsFile)
            + (body.deletedEntries ?? []).map(CommitOperation.deletion)
    }

    private static func decode<Body: Decodable>(
        _ type: Body.Type, _ bytes: [UInt8]
    ) throws -> Body {
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch let refusal as Refusal {
            throw refusal
        } catch {
            throw Refusal.unprocessable("Invalid line in the commit: \(error)")
        }
    }
}
