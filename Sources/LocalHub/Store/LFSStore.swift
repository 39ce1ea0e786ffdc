import Crypto
import Foundation
import Glibc

/// A repository's LFS objects by SHA-256, in git-lfs's own layout, so that a `git clone` of the
/// folder finds them.
package struct LFSStore: Sendable {
    let repository: String
    /// Where files grow before they have their name; on the same file system.
    let incoming: String

    /// Whether there is such a repository.
    var exists: Bool { access(repository, F_OK) == 0 }

    /// Where the object is, or would be.
    package func path(_ oid: String) -> String {
        "\(repository)/lfs/objects/\(oid.prefix(2))/\(oid.dropFirst(2).prefix(2))/\(oid)"
    }

    /// Bytes of the object; nil if it is not here.
    package func size(_ oid: String) -> Int? {
        var status = stat()
        guard isHex(oid, count: 64), stat(path(oid), &status) == 0 else { return nil }
        return Int(status.st_size)
    }

    /// Begins an object whose bytes will come in pieces.
    func receive() throws -> LFSIntake {
        try LFSIntake(in: incoming)
    }

    /// Gives a whole file its name. Several may store one object at the same time.
    func keep(_ intake: LFSIntake, oid: String) throws {
        try intake.finish(as: path(oid))
    }

    /// All objects, in the order of their oids.
    func objects() -> [(oid: String, size: Int, stored: Date)] {
        var found: [(oid: String, size: Int, stored: Date)] = []
        let root = repository + "/lfs/objects"
        for case let path as String in FileManager.default.enumerator(atPath: root) ?? .init() {
            let oid = path.fileName
            var status = stat()
            guard isHex(oid, count: 64), stat(self.path(oid), &status) == 0 else { continue }
            let stored = Date(timeIntervalSince1970: Double(status.st_mtim.tv_sec))
            found.append((oid, Int(status.st_size), stored))
        }
        return found.sorted { $0.oid < $1.oid }
    }

    /// Makes another repository's object this one's as well.
    ///
    /// - Throws: `LFSIntake.Failure.file`.
    func link(_ file: String, oid: String) throws {
        let target = path(oid)
        try FileManager.default.createDirectory(
            atPath: (target as NSString).deletingLastPathComponent,
            withIntermediateDirectories: true)
        guard Glibc.link(file, target) == 0 || errno == EEXIST else {
            throw LFSIntake.Failure.file(errno)
        }
    }

    /// Gives a file on the same file system, whole and hashed, its name.
    ///
    /// - Throws: `LFSIntake.Failure.file`.
    func adopt(_ file: String, oid: String) throws {
        let target = path(oid)
        try FileManager.default.createDirectory(
            atPath: (target as NSString).deletingLastPathComponent,
            withIntermediateDirectories: true)
        guard rename(file, target) == 0 else { throw LFSIntake.Failure.file(errno) }
    }
}

/// One LFS object on its way in: written to a file of its own and hashed as it comes.
///
/// Dropped before it has its name, it leaves nothing. Not shared between threads; calls may come
/// from different ones, one after the other.
final class LFSIntake {
    private let file: FileIntake
    private var hash = SHA256()

    typealias Failure = FileIntake.Failure

    fileprivate init(in folder: String) throws {
        file = try FileIntake(in: folder)
    }

    var size: Int { file.size }

    func append(_ bytes: UnsafeRawBufferPointer) throws {
        hash.update(bufferPointer: bytes)
        try file.append(bytes)
    }

    /// The SHA-256 of what came so far, hex.
    var oid: String { hex(hash.finalize()) }

    fileprivate func finish(as target: String) throws { try file.finish(as: target) }
}
