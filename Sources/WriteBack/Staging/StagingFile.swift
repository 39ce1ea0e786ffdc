import Platform
package import SystemPackage

/// One file of the staging folder: the edited bytes of a layer, at the offsets they have in the file
/// the user sees.
///
/// The descriptor is open while somebody uses it, so that ten thousand edited files need no ten
/// thousand descriptors.
package final class StagingFile: Sendable {
    private struct State {
        var descriptor: FileDescriptor?
        var useCount = 0
        var pinCount = 0
        var isDiscarded = false

        /// Whether the file is to be removed now.
        var isDoomed: Bool { isDiscarded && useCount == 0 && pinCount == 0 }
    }

    private let folder: FilePath
    private let number: UInt64
    /// Belongs to a commit, not to a layer.
    let isTemporary: Bool
    private let state = Guarded(State(), rank: .leaf)

    /// - Parameters:
    ///   - number: The file's name; it exists, or the first use makes it.
    ///   - folder: Of the staging files.
    init(_ number: UInt64, in folder: FilePath, isTemporary: Bool = false) {
        self.folder = folder
        self.number = number
        self.isTemporary = isTemporary
    }

    package var path: FilePath { folder.appending(String(number)) }

    /// Keeps the descriptor open until `release`.
    func retain() { state.withLock { $0.useCount += 1 } }

    /// Ends one use; the last one closes the descriptor, and removes a file that was discarded.
    func release() {
        let (descriptor, isDoomed) = state.withLock { state in
            state.useCount -= 1
            guard state.useCount == 0 else { return (FileDescriptor?.none, false) }
            defer { state.descriptor = nil }
            return (state.descriptor, state.isDoomed)
        }
        if let descriptor { try? descriptor.close() }
        if isDoomed { _ = try? Folder.unlink(path) }
    }

    /// Keeps the bytes until `unpin`, whoever discards the file; unlike `retain` it needs no
    /// descriptor.
    func pin() { state.withLock { $0.pinCount += 1 } }

    /// Ends what `pin` began.
    func unpin() {
        let isDoomed = state.withLock { state in
            state.pinCount -= 1
            return state.isDoomed
        }
        if isDoomed { _ = try? Folder.unlink(path) }
    }

    /// Removes the file, at once or when its last use ends.
    func discard() {
        let isDoomed = state.withLock { state in
            state.isDiscarded = true
            return state.isDoomed
        }
        if isDoomed { _ = try? Folder.unlink(path) }
    }

    /// Reads until `buffer` is full or the file ends.
    ///
    /// - Returns: nil when there is no such file: a commit that ended meanwhile has given its bytes
    ///   another place.
    package func read(
        into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
    ) throws(WriteBackError) -> Int? {
        do throws(WriteBackError) {
            return try use(creates: false) { (file) throws(Errno) in
                try file.readWhole(into: buffer, at: offset)
            }
        } catch .disk(.noSuchFileOrDirectory, _) {
            return nil
        }
    }

    /// Runs `body` with an open descriptor of the file.
    package func use<Result>(
        creates: Bool = true, _ body: (FileDescriptor) throws(Errno) -> Result
    ) throws(WriteBackError) -> Result {
        retain()
        defer { release() }
        do throws(Errno) {
            return try body(try openDescriptor(creates: creates))
        } catch {
            switch error {
            case .noSpace, .diskQuotaExceeded: throw .full
            // The disk's own limit, below the one of off_t: 16 TB on ext4.
            case .fileTooLarge: throw refuse(error)
            default: throw .disk(error, path: path.string)
            }
        }
    }

    /// Some of the file's bytes, for small texts.
    func bytes(_ range: Range<UInt64>) throws(WriteBackError) -> [UInt8] {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: range.count, alignment: 1)
        defer { buffer.deallocate() }
        let read = try use { (file) throws(Errno) in
            try file.readWhole(into: buffer, at: range.lowerBound)
        }
        guard read == buffer.count else { throw .disk(.ioError, path: path.string) }
        return Array(buffer)
    }

    /// The open descriptor, good until the `release` that ends the caller's `retain`.
    func descriptorWhileRetained() throws(WriteBackError) -> FileDescriptor {
        try use { (file) throws(Errno) in file }
    }

    private func openDescriptor(creates: Bool) throws(Errno) -> FileDescriptor {
        if let descriptor = state.withLock({ $0.descriptor }) { return descriptor }
        let opened: FileDescriptor
        do {
            opened = try FileDescriptor.open(
                path, .readWrite,
                options: creates ? [.create, .closeOnExec, .noFollow] : [.closeOnExec, .noFollow],
                permissions: FilePermissions(rawValue: 0o600))
        } catch let code as Errno {
            throw code
        } catch {
            throw Errno.ioError
        }
        let winner = state.withLock { state in
            if let other = state.descriptor { return other }
            state.descriptor = opened
            return opened
        }
        if winner.rawValue != opened.rawValue { try? opened.close() }
        return winner
    }
}
