import Crypto
import Foundation
import Glibc
import Synchronization

/// One LFS object that comes in parts, in any order and each as often as the client likes.
///
/// ```
/// about.json      what is uploaded, and until when
/// object          the parts, each at its place; gone once it is in its repository
/// 00001.ETAG      empty: part 1 is whole, and this is its tag
/// ```
///
/// Once `finish` has begun no part is written any more, also by a connection that still sends one:
/// what was hashed is what is stored.
final class MultipartUpload: Sendable {
    struct About: Codable, Sendable {
        /// The repo's id, which a rename does not change.
        let repo: String
        let oid: String
        /// Bytes of the object.
        let size: Int
        /// Bytes of each part but the last.
        let partSize: Int
        /// Seconds since 1970.
        let expires: Int

        var partCount: Int { (size + partSize - 1) / partSize }

        var isExpired: Bool { Int(Date().timeIntervalSince1970) >= expires }

        /// Where the part lies in the object; parts count from 1.
        func range(ofPart number: Int) -> Range<Int>? {
            guard (1...max(1, partCount)).contains(number) else { return nil }
            let start = (number - 1) * partSize
            return start..<min(start + partSize, size)
        }
    }

    enum Failure: Error, Equatable {
        /// There is no such upload, or it has ended.
        case gone
        /// The parts given are not those that are here; says which.
        case badParts(String)
        /// The whole is not the object it should be.
        case wrongContent
        /// A call on the files failed with this errno.
        case file(Int32)
    }

    private struct State {
        /// No part is written any more.
        var isSealed = false
        /// Writes under way.
        var writerCount = 0
    }

    let about: About
    private let folder: String
    private let state = Mutex(State())
    /// The kernel lets one writer of a file in at a time, and the others spin.
    private let turn = Mutex(())

    private var object: String { folder + "/object" }

    /// Made aside and renamed, so that an upload's folder is whole or not there.
    init(creating folder: String, _ about: About) throws {
        self.folder = folder
        self.about = about
        let aside = folder + ".new"
        try FileManager.default.createDirectory(
            atPath: aside, withIntermediateDirectories: false)
        try JSONEncoder().encode(about).write(to: URL(filePath: aside + "/about.json"))
        guard FileManager.default.createFile(atPath: aside + "/object", contents: nil) else {
            throw Failure.file(EIO)
        }
        guard rename(aside, folder) == 0 else { throw Failure.file(errno) }
    }

    /// - Returns: nil if there is no upload in the folder.
    init?(opening folder: String) {
        guard let text = try? Data(contentsOf: URL(filePath: folder + "/about.json")),
            let about = try? JSONDecoder().decode(About.self, from: text)
        else { return nil }
        self.folder = folder
        self.about = about
    }

    // MARK: Parts

    /// Begins a part: from here on it is not there until it is whole again.
    ///
    /// - Throws: `Failure.gone`.
    func receive(part number: Int, at start: Int) throws(Failure) -> PartIntake {
        let fd = open(object, O_WRONLY | O_CLOEXEC)
        guard fd >= 0 else { throw errno == ENOENT ? .gone : .file(errno) }
        for marker in markers(ofPart: number) { unlink(folder + "/" + marker) }
        return PartIntake(self, fd: fd, number: number, start: start)
    }

    /// Writes a piece, unless the object is being put together.
    fileprivate func write(
        _ bytes: UnsafeRawBufferPointer, to fd: Int32, at offset: Int
    ) throws(Failure) {
        let mayWrite = state.withLock { state in
            if !state.isSealed { state.writerCount += 1 }
            return !state.isSealed
        }
        guard mayWrite else { throw .gone }
        defer { state.withLock { $0.writerCount -= 1 } }
        try turn.withLock { _ throws(Failure) in
            var written = 0
            while written < bytes.count {
                let count = pwrite(
                    fd, bytes.baseAddress.map { $0 + written }, bytes.count - written,
                    off_t(offset + written))
                if count < 0, errno != EINTR { throw .file(errno) }
                written += max(0, count)
            }
        }
    }

    fileprivate func mark(part number: Int, etag: String) throws(Failure) {
        let isOpen = state.withLock { !$0.isSealed }
        guard isOpen else { throw .gone }
        let fd = open(marker(number, etag), O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        guard fd >= 0 else { throw errno == ENOENT ? .gone : .file(errno) }
        close(fd)
    }

    private func marker(_ number: Int, _ etag: String) -> String {
        "\(folder)/\(Self.name(ofPart: number)).\(etag)"
    }

    private func markers(ofPart number: Int) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0.hasPrefix(Self.name(ofPart: number) + ".") }
    }

    /// `00001`, as the batch answer names parts too.
    static func name(ofPart number: Int) -> String {
        String(String(number + 100_000).dropFirst())
    }

    // MARK: The end

    /// Puts the object into its repository. Asked again after it succeeded, it succeeds again: the
    /// first answer may have been lost.
    ///
    /// - Parameter parts: number and tag of each part, in order.
    /// - Throws: `Failure`; the upload goes on, and parts may be sent again.
    func finish(_ parts: [(number: Int, etag: String)], into store: LFSStore) throws {
        if access(object, F_OK) != 0, store.size(about.oid) == about.size { return }
        try check(parts)
        try seal()
        do {
            try check(parts)
            guard try Self.digest(object, size: about.size) == about.oid else {
                throw Failure.wrongContent
            }
            try store.adopt(object, oid: about.oid)
        } catch {
            // Only now may parts come again: after a success their file is the repository's.
            state.withLock { $0.isSealed = false }
            throw error
        }
    }

    private func check(_ parts: [(number: Int, etag: String)]) throws(Failure) {
        guard parts.map(\.number) == Array(1...max(1, about.partCount)) else {
            throw .badParts("There are \(about.partCount) parts, to be listed in order")
        }
        for (number, etag) in parts {
            guard isHex(etag, count: PartIntake.etagLength),
                access(marker(number, etag), F_OK) == 0
            else { throw .badParts("Part \(number) is missing, or has another ETag") }
        }
    }

    /// Ends all writing; a write under way takes as long as one `pwrite`.
    private func seal() throws(Failure) {
        let isOurs = state.withLock { state in
            defer { state.isSealed = true }
            return !state.isSealed
        }
        guard isOurs else { throw .badParts("The upload is being completed") }
        while state.withLock({ $0.writerCount }) > 0 { usleep(200) }
    }

    /// - Returns: the file's SHA-256, nil if it has another size.
    private static func digest(_ path: String, size: Int) throws(Failure) -> String? {
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { throw errno == ENOENT ? .gone : .file(errno) }
        defer { close(fd) }
        var hash = SHA256()
        var total = 0
        var piece = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = read(fd, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .file(errno) }
            if count == 0 { break }
            piece.withUnsafeBytes { hash.update(bufferPointer: .init(rebasing: $0[..<count])) }
            total += count
        }
        return total == size ? hex(hash.finalize()) : nil
    }
}

/// A part on its way in, written to its place as it comes.
///
/// Not shared between threads; calls may come from different ones, one after the other.
final class PartIntake {
    private let upload: MultipartUpload
    private let fd: Int32
    private let number: Int
    private let start: Int
    private var hash = SHA256()
    private(set) var size = 0

    /// Tags are as long as those of object stores, and say as little.
    static let etagLength = 32

    fileprivate init(_ upload: MultipartUpload, fd: Int32, number: Int, start: Int) {
        self.upload = upload
        self.fd = fd
        self.number = number
        self.start = start
    }

    deinit {
        close(fd)
    }

    /// - Throws: `MultipartUpload.Failure.gone` if the upload has ended meanwhile.
    func append(_ bytes: UnsafeRawBufferPointer) throws(MultipartUpload.Failure) {
        try upload.write(bytes, to: fd, at: start + size)
        hash.update(bufferPointer: bytes)
        size += bytes.count
    }

    /// - Returns: the part's tag, without quotes.
    func finish() throws(MultipartUpload.Failure) -> String {
        let etag = String(hex(hash.finalize()).prefix(Self.etagLength))
        try upload.mark(part: number, etag: etag)
        return etag
    }
}
