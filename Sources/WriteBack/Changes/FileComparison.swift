import Crypto
package import HubClient
import XetCodec

/// What an edit makes of one file, for `hubfs diff`.
package struct FileComparison: Sendable {
    package let edit: EditList.Edit
    /// The identity of what the mount shows: that of the base, or found by reading; nil for a deleted
    /// file and for one that is too large to be read for it.
    package let newContent: ContentID?
    /// The lines that differ; nil for what is no text, and for what is too large.
    package let text: TextDiff?

    /// Files up to this size are compared line by line.
    package static let textBytesMax: UInt64 = 1 << 20
    /// Files up to this size are read to find their identity.
    package static let hashedBytesMax: UInt64 = 64 << 20

    /// Reads both sides; waits for the network where the cache has not what the base has.
    init(
        of edit: EditList.Edit, in kind: RepoKind, _ source: any BaseSource
    ) throws(PublishError) {
        self.edit = edit
        let sizes = [edit.old?.size ?? 0, edit.new?.size ?? 0]
        if let content = edit.new?.content, content == edit.old?.content {
            // Another name is all there is.
            newContent = content
            text = TextDiff(old: [], new: [])
        } else if sizes.allSatisfy({ $0 <= Self.textBytesMax }) {
            let old = try edit.old.map { file throws(PublishError) in
                try FileBytes.base(file).bytes(source)
            }
            let new = try edit.new?.bytes(source)
            text = TextDiff(old: old ?? [], new: new ?? [])
            newContent = try Self.content(of: edit, in: kind, source)
        } else {
            text = nil
            newContent = try Self.content(of: edit, in: kind, source)
        }
    }

    /// An edited file that git keeps has the identity git would give it, and any other that of LFS, but for
    /// a bucket's; which of the two a new file gets, the Hub says at the commit.
    private static func content(
        of edit: EditList.Edit, in kind: RepoKind, _ source: any BaseSource
    ) throws(PublishError) -> ContentID? {
        guard let new = edit.new else { return nil }
        if let content = new.content { return content }
        let size = new.size
        guard size <= hashedBytesMax else { return nil }
        if kind == .bucket {
            var hasher = FileHasher()
            try new.forEachPiece(source) { piece in hasher.update(piece) }
            return XetOID(hex: hasher.finish().text).map { .xet($0) }
        }
        if case .git? = edit.old?.content {
            var digest = Insecure.SHA1()
            digest.update(data: Array("blob \(size)\0".utf8))
            try new.forEachPiece(source) { piece in digest.update(bufferPointer: piece) }
            return BlobOID(bytes: Array(digest.finalize())).map { .git($0) }
        }
        var digest = SHA256()
        try new.forEachPiece(source) { piece in digest.update(bufferPointer: piece) }
        return LFSOID(bytes: Array(digest.finalize())).map { .lfs($0) }
    }
}

extension Committer {
    /// What differs from the base now, file by file. Waits for the network where directories were not
    /// listed yet.
    ///
    /// - Parameter paths: As in `CommitRequest`: what a commit of these would have.
    package func editList(of paths: [String] = []) throws(PublishError) -> EditList {
        for _ in 0..<Self.lookCountMax {
            let base = base
            let changes = try changes(at: paths)
            // A commit can end between the two.
            if base == self.base { return try EditList(changes, base: base, source: source) }
        }
        throw .base("the base moves on too fast for a list of edits")
    }

    private static let lookCountMax = 8

    /// What one of these edits changes.
    package func comparison(of edit: EditList.Edit) throws(PublishError) -> FileComparison {
        try FileComparison(of: edit, in: repo.kind, source)
    }
}
