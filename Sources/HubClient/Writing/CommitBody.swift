import Platform
package import SystemPackage

/// The body of one commit, spooled line by line into a file: however much a commit carries, this
/// holds a few hundred KiB of it.
///
///     {"key":"header","value":{"summary":…,"description":…,"parentCommit":…}}
///     {"key":"file","value":{"path":…,"content":"<base64>","encoding":"base64"}}
///     {"key":"lfsFile","value":{"path":…,"algo":"sha256","oid":…,"size":…}}
///     {"key":"deletedFile","value":{"path":…}}
///     {"key":"deletedFolder","value":{"path":"…/"}}
///
/// A path must not occur twice; the order of lines means nothing. A line that could not be written
/// whole is taken back, and the body can go on without it. Source: `application/x-ndjson` of
/// `POST /api/{kind}/{id}/commit/{rev}`.
package struct CommitBody: ~Copyable {
    package enum Failure: Error, Hashable, Sendable {
        /// The spool file cannot be written.
        case spool(Errno)
        /// The content of this path cannot be read.
        case content(Errno, path: String)
        /// The content of this path ends before its size.
        case contentEndsEarly(path: String, byteCount: UInt64)
    }

    /// Lines without the header.
    package private(set) var operationCount = 0
    private let spool: FileDescriptor
    /// What follows the first `flushedByteCount` bytes of the spool.
    private var buffer: [UInt8] = []
    private var flushedByteCount: UInt64 = 0

    private static let bufferByteCount = 256 << 10
    /// A multiple of three, so that no group of base64 is split.
    private static let readByteCount = 96 << 10

    /// Begins a body with its header.
    ///
    /// - Parameters:
    ///   - spool: Written from its beginning. Borrowed for as long as this value lives.
    ///   - parent: The commit that the branch must still be at, or the Hub refuses.
    package init(
        spool: FileDescriptor, summary: String, description: String, parent: CommitOID?
    ) throws(Failure) {
        self.spool = spool
        buffer.reserveCapacity(Self.bufferByteCount + Self.readByteCount * 2)
        let parentMember = parent.map { ",\"parentCommit\":\"\($0.hex)\"" } ?? ""
        try append(
            "{\"key\":\"header\",\"value\":{\"summary\":\(JSON.quoted(summary))"
                + ",\"description\":\(JSON.quoted(description))\(parentMember)}}\n")
    }

    /// Bytes of the body so far.
    package var byteCount: UInt64 { flushedByteCount + UInt64(buffer.count) }

    /// Adds or replaces a file kept in git itself.
    ///
    /// - Parameters:
    ///   - content: Read from its beginning, during the call alone.
    ///   - size: How much of it; if there is less, the line is taken back.
    package mutating func file(
        _ path: String, content: FileDescriptor, size: UInt64
    ) throws(Failure) {
        try line { (body) throws(Failure) in
            try body.append(
                "{\"key\":\"file\",\"value\":{\"path\":\(JSON.quoted(path)),\"content\":\"")
            try body.appendBase64(of: content, size: size, path: path)
            try body.append("\",\"encoding\":\"base64\"}}\n")
        }
    }

    /// Adds or replaces a file whose bytes are in LFS storage.
    package mutating func lfsFile(_ path: String, oid: LFSOID, size: UInt64) throws(Failure) {
        try line { (body) throws(Failure) in
            try body.append(
                "{\"key\":\"lfsFile\",\"value\":{\"path\":\(JSON.quoted(path)),\"algo\":\"sha256\""
                    + ",\"oid\":\"\(oid.hex)\",\"size\":\(size)}}\n")
        }
    }

    /// Removes a file; the Hub refuses a commit that removes what is not there.
    package mutating func deletedFile(_ path: String) throws(Failure) {
        try line { (body) throws(Failure) in
            try body.append("{\"key\":\"deletedFile\",\"value\":{\"path\":\(JSON.quoted(path))}}\n")
        }
    }

    /// Removes a folder with everything in it.
    ///
    /// - Parameter path: Without a slash at its end.
    package mutating func deletedFolder(_ path: String) throws(Failure) {
        try line { (body) throws(Failure) in
            try body.append(
                "{\"key\":\"deletedFolder\",\"value\":{\"path\":\(JSON.quoted(path + "/"))}}\n")
        }
    }

    /// Writes what is still in memory; the spool then holds the body and nothing else.
    ///
    /// - Returns: the body's length in bytes.
    package mutating func finish() throws(Failure) -> UInt64 {
        try flush()
        do throws(Errno) {
            try spool.truncate(to: flushedByteCount)
        } catch {
            throw .spool(error)
        }
        return flushedByteCount
    }

    /// Runs `write`, and takes back what it wrote when it fails.
    private mutating func line(
        _ write: (inout CommitBody) throws(Failure) -> Void
    ) throws(Failure) {
        let (start, startFlushed) = (byteCount, flushedByteCount)
        do throws(Failure) {
            try write(&self)
        } catch {
            if flushedByteCount == startFlushed {
                buffer.removeLast(Int(byteCount - start))
            } else {
                buffer.removeAll(keepingCapacity: true)
                flushedByteCount = start
            }
            throw error
        }
        operationCount += 1
    }

    private mutating func append(_ text: String) throws(Failure) {
        buffer.append(contentsOf: text.utf8)
        if buffer.count >= Self.bufferByteCount { try flush() }
    }

    private mutating func appendBase64(
        of content: FileDescriptor, size: UInt64, path: String
    ) throws(Failure) {
        let chunk = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Int(min(size, UInt64(Self.readByteCount))), alignment: 16)
        defer { chunk.deallocate() }
        var encoder = Base64Encoder()
        var offset: UInt64 = 0
        while offset < size {
            let piece = UnsafeMutableRawBufferPointer(
                rebasing: chunk[..<Int(min(UInt64(chunk.count), size - offset))])
            let count: Int
            do throws(Errno) {
                count = try content.readWhole(into: piece, at: offset)
            } catch {
                throw .content(error, path: path)
            }
            offset += UInt64(count)
            guard count == piece.count else {
                throw .contentEndsEarly(path: path, byteCount: offset)
            }
            encoder.encode(UnsafeRawBufferPointer(piece), into: &buffer)
            if buffer.count >= Self.bufferByteCount { try flush() }
        }
        encoder.finish(into: &buffer)
    }

    private mutating func flush() throws(Failure) {
        // Through a Result, because the closure forgets the type of what it throws.
        let written = buffer.withUnsafeBytes { bytes -> Result<Void, Errno> in
            Result { () throws(Errno) in try spool.writeWhole(bytes, at: flushedByteCount) }
        }
        if case .failure(let error) = written { throw .spool(error) }
        flushedByteCount += UInt64(buffer.count)
        buffer.removeAll(keepingCapacity: true)
    }
}
