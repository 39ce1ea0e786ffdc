import HTTPTypes
import NIOCore

/// compare: what differs between two revisions.
extension RepoTarget {
    /// Longer answers are refused.
    private static let compareMax = 64 << 20

    /// - Parameter range: `A..B`.
    func compare(_ range: String) async throws -> Answer {
        guard let dots = range.firstRange(of: "..") else {
            throw Refusal.badRequest("Two revisions are compared as A..B")
        }
        let (old, new) = (String(range[..<dots.lowerBound]), String(range[dots.upperBound...]))
        let isRaw = request.flag("raw")
        let text = try await blocking {
            try caller.requireContent(of: repo, registry: registry)
            let (old, new) = (try commit(named: old).oid, try commit(named: new).oid)
            guard let text = isRaw ? try rawList(old, new) : try diff(old, new) else {
                throw Refusal.unprocessable("The difference is too long to be shown")
            }
            return text
        }
        return Answer(
            .ok, headers: [.contentType: "text/plain; charset=utf-8"],
            body: .bytes(ByteBuffer(bytes: text)))
    }

    private func diff(_ old: String, _ new: String) throws -> [UInt8]? {
        try repository.diff(old, new, byteCountMax: Self.compareMax)
    }

    /// A line for each file: `T 2305`, a tab, and git's raw line.
    private func rawList(_ old: String, _ new: String) throws -> [UInt8]? {
        try repository.changes(old, new, byteCountMax: Self.compareMax).map { files in
            Array(files.map(Self.line).joined().utf8)
        }
    }

    private static func line(_ file: ChangedFile) -> String {
        "\(file.isBinary ? "B" : "T") \(file.size)\t:\(file.oldMode) \(file.newMode) "
            + "\(file.oldOID)... \(file.newOID)... \(file.status)\t\(file.path)"
            + (file.newPath.map { "\t" + $0 } ?? "") + "\n"
    }
}
