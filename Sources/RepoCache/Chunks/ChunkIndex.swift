import Glibc
import HubClient
import Logging
import Platform
import Synchronization
import SystemPackage
import XetCodec

/// Knows which chunks the contents of the cache folder have: of those that the store has named the
/// terms of, once they are whole and verified.
///
/// A file's chunks follow from its bytes, so a content tells by itself what it has, however it came here:
/// it is cut and hashed again, and what comes out must have the name that the Hub gave it.
final class ChunkIndex: ChunkKeeper {
    private let database: CacheDatabase
    private let folder: CacheFolder
    private let scrubber: Worker
    private let isClosing: @Sendable () -> Bool
    private let logger: Logger
    private let knowsNone = Atomic(true)

    private static let pieceBytes = 1 << 20

    /// - Parameters:
    ///   - scrubber: Runs what nobody waits for.
    ///   - isClosing: Long jobs end early then.
    init(
        _ database: CacheDatabase, _ folder: CacheFolder, scrubber: Worker, logger: Logger,
        isClosing: @escaping @Sendable () -> Bool
    ) {
        self.database = database
        self.folder = folder
        self.scrubber = scrubber
        self.logger = logger
        self.isClosing = isClosing
        // Until then nobody waits for what is not known to be there.
        _ = scrubber.submit { [self] in
            if let knows = try? database.knowsChunks(), knows {
                knowsNone.store(false, ordering: .relaxed)
            }
        }
    }

    var isEmpty: Bool { knowsNone.load(ordering: .relaxed) }

    func shared(_ terms: [XetTerm], of location: ContentLocation) -> [SharedChunks] {
        guard !isEmpty, let runs = try? database.chunkRuns(of: Set(terms.map(\.xorb))) else {
            return []
        }
        var gone: Set<String> = [location.content.hex]
        for hex in Set(runs.map(\.hex)) where !gone.contains(hex) {
            guard access(folder.data(of: hex).string, R_OK) != 0 else { continue }
            gone.insert(hex)
            try? database.forgetChunks(of: hex)
        }
        return SharedSearch(runs.filter { !gone.contains($0.hex) }).shared(terms)
    }

    func open(_ source: String) -> (any ChunkSource)? {
        let file = try? FileDescriptor.open(
            folder.data(of: source), .readOnly, options: .closeOnExec)
        return file.map { ContentSource(file: $0) }
    }

    private final class ContentSource: ChunkSource {
        private let file: FileDescriptor

        init(file: FileDescriptor) { self.file = file }

        deinit { try? file.close() }

        func expect(_ range: Range<UInt64>) {
            // What is not in memory comes from the disk beside what is done with the rest of it.
            _ = posix_fadvise(
                file.rawValue, off_t(range.lowerBound), off_t(range.count), POSIX_FADV_WILLNEED)
        }

        func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> Bool {
            (try? file.readWhole(into: buffer, at: offset)) == buffer.count
        }
    }

    /// Has the chunks of a content remembered, which must be whole in its file.
    func learn(_ location: ContentLocation, _ file: XetFile) {
        _ = scrubber.submit { [self] in
            do {
                try learnNow(location, file)
            } catch {
                logger.info("chunks of \(location.path) are not remembered: \(error)")
            }
        }
    }

    private func learnNow(_ location: ContentLocation, _ file: XetFile) throws(CacheError) {
        let hex = location.content.hex
        guard try !database.knowsChunks(of: hex) else { return }
        guard let chunks = chunks(of: hex, size: location.size, named: file.hash) else {
            return logger.info("\(location.path) is not what its name in the store says")
        }
        guard let runs = Self.runs(of: chunks, file.terms, hex) else {
            return logger.info("\(location.path) has other chunks than its terms say")
        }
        // What an ended process had begun.
        try database.forgetChunks(of: hex)
        try database.store(runs, of: hex, at: Int64(time(nil)))
        knowsNone.store(false, ordering: .relaxed)
    }

    /// - Returns: nil when it cannot be read, or has another name.
    private func chunks(of hex: String, size: UInt64, named name: XetHash) -> [MerkleNode]? {
        guard
            let file = try? FileDescriptor.open(
                folder.data(of: hex), .readOnly, options: .closeOnExec)
        else { return nil }
        defer { try? file.close() }
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Self.pieceBytes, alignment: 64)
        defer { buffer.deallocate() }
        var hasher = FileHasher()
        var offset: UInt64 = 0
        while offset < size, !isClosing() {
            let piece = UnsafeMutableRawBufferPointer(
                rebasing: buffer.prefix(Int(clamping: size - offset)))
            guard let count = try? file.readWhole(into: piece, at: offset), count == piece.count
            else { return nil }
            hasher.update(UnsafeRawBufferPointer(piece))
            offset += UInt64(count)
        }
        guard hasher.finish() == name else { return nil }
        return hasher.chunks
    }

    /// The chunks by the terms that name them; nil when they do not fit.
    static func runs(
        of chunks: [MerkleNode], _ terms: [XetTerm], _ hex: String
    ) -> [ChunkRun]? {
        var runs: [ChunkRun] = []
        var (next, start) = (0, UInt64(0))
        for term in terms {
            guard next + term.numbers.count <= chunks.count else { return nil }
            let end = start + UInt64(term.byteCount)
            for first in stride(
                from: term.numbers.lowerBound, to: term.numbers.upperBound, by: ChunkRun.countMax)
            {
                let count = min(ChunkRun.countMax, term.numbers.upperBound - first)
                let run = ChunkRun(
                    xorb: term.xorb, first: first, hex: hex, start: start,
                    chunks: chunks[next..<next + count])
                runs.append(run)
                start += run.byteCount(of: run.numbers)
                next += count
            }
            guard start == end else { return nil }
        }
        return next == chunks.count ? runs : nil
    }
}
