import Foundation
import Glibc
package import XetCodec

/// The xorbs of all repos, and what files are made of.
///
/// Xorbs stay when nothing needs them any more; nobody collects them.
package final class XetStore: Sendable {
    private let folder: HubFolder
    private let registry: Registry
    /// Chunks that indexes in memory may have together.
    private let indexes = BoundedCache<XetHash, XorbIndex>(costMax: 500_000)
    private let files = BoundedCache<XetHash, XetFile>(costMax: 500_000)

    init(folder: HubFolder, registry: Registry) {
        self.folder = folder
        self.registry = registry
    }

    // MARK: Xorbs

    /// Where the xorb is, or would be.
    func path(_ xorb: XetHash) -> String {
        let name = xorb.text
        return "\(folder.xorbs)/\(name.prefix(2))/\(name)"
    }

    /// - Returns: nil for a xorb nobody stored.
    func index(of xorb: XetHash) throws -> XorbIndex? {
        if let known = indexes[xorb] { return known }
        guard let found = try registry.xorb(xorb) else { return nil }
        indexes.insert(xorb, found, cost: found.chunks.count)
        return found
    }

    /// Begins a xorb whose bytes will come in pieces.
    func receive() throws -> FileIntake { try FileIntake(in: folder.incoming) }

    /// Names a xorb. Several may store one at the same time.
    ///
    /// - Parameter index: read from what came.
    /// - Returns: whether it is new.
    func keep(_ intake: FileIntake, _ index: XorbIndex) throws -> Bool {
        let hash = index.hash
        if try self.index(of: hash) != nil { return false }
        if intake.size > index.packedByteCount { try intake.shorten(to: index.packedByteCount) }
        // A file without a row is nothing; the next upload of the same xorb writes over it.
        try intake.finish(as: path(hash))
        return try registry.insert(index, as: hash)
    }

    // MARK: What came by a grant

    private func place(_ xorb: XetHash, grant id: String) -> String {
        "\(folder.incoming)/xorb-\(xorb)-\(id)"
    }

    /// Leaves what came by a grant for its commit.
    ///
    /// - Returns: false if something came by it before.
    func leave(_ intake: FileIntake, _ xorb: XetHash, grant id: String) throws -> Bool {
        try intake.finish(asNew: place(xorb, grant: id))
    }

    /// What came by a grant; it is there no more if it is not kept.
    func arrived(_ xorb: XetHash, grant id: String) -> FileIntake? {
        FileIntake(adopting: place(xorb, grant: id))
    }

    // MARK: Files

    package func file(_ hash: XetHash) throws -> XetFile? {
        if hash == .zero { return .empty }
        if let known = files[hash] { return known }
        guard let found = try registry.xetFile(hash) else { return nil }
        files.insert(hash, found, cost: found.terms.count)
        return found
    }
}
