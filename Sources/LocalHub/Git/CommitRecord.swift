import Foundation

/// A parsed commit object.
struct CommitRecord: Sendable {
    let oid: String
    let tree: String
    let parents: [String]
    let author: String
    let date: Date
    let title: String
    /// The message after its title.
    let body: String

    init(oid: String, parsing bytes: [UInt8]) throws(GitError) {
        let text = String(decoding: bytes, as: UTF8.self)
        let end = text.range(of: "\n\n")
        var fields: [(name: Substring, value: Substring)] = []
        for line in text[..<(end?.lowerBound ?? text.endIndex)].split(separator: "\n") {
            guard let space = line.firstIndex(of: " ") else { continue }
            fields.append((line[..<space], line[line.index(after: space)...]))
        }
        guard let tree = fields.first(where: { $0.name == "tree" })?.value else {
            throw .unexpected("commit \(oid) without a tree")
        }
        let author = fields.first { $0.name == "author" }?.value ?? ""
        let committer = fields.first { $0.name == "committer" }?.value ?? ""
        let message = text[(end?.upperBound ?? text.endIndex)...]
        let lines = message.split(
            separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
        self.oid = oid
        self.tree = String(tree)
        self.parents = fields.filter { $0.name == "parent" }.map { String($0.value) }
        self.author =
            author.firstIndex(of: "<").map {
                author[..<$0].trimmingCharacters(in: .whitespaces)
            } ?? ""
        self.date = Self.date(ofSignature: committer)
        self.title = lines.first.map(String.init) ?? ""
        self.body =
            lines.count > 1 ? lines[1].trimmingCharacters(in: .newlines) : ""
    }

    /// `Name <mail> SECONDS ZONE`: the seconds are UTC whatever the zone.
    private static func date(ofSignature signature: Substring) -> Date {
        let words = signature.split(separator: " ")
        let seconds = words.count >= 2 ? Double(words[words.count - 2]) ?? 0 : 0
        return Date(timeIntervalSince1970: seconds)
    }
}
