import HubClient
import Logging
import Platform
import SystemPackage
import XetCodec

/// Brings the large files of a commit to the content-addressed store: cut into chunks, of which only those
/// travel that the store does not have.
///
/// ```
/// cut and hash every file ▶ which chunks are known here? ▶ which does the store know? ▶ pack and send the
/// rest ▶ register the files
/// ```
/// Runs on one thread, which waits.
struct XetPublication {
    /// One file's bytes.
    struct Object {
        let file: StagedBytes
        /// Its digest, where the Hub asks for a file by that; nil in a bucket.
        let sha256: LFSOID?
        /// How it is cut, where that is known.
        let chunks: [MerkleNode]?
        /// How it is put together without being cut.
        var delta: FileDelta?
        /// What the Hub has at its path.
        let base: BaseFile?
    }

    struct Cut {
        let object: Object
        let pieces: [FileDelta.Piece]
        let hash: XetHash

        /// Those that are known, which are all of a file that was cut.
        var chunks: [MerkleNode] {
            if case .chunks(let chunks, _)? = pieces.first, pieces.count == 1 { return chunks }
            return pieces.flatMap { piece -> [MerkleNode] in
                if case .chunks(let chunks, _) = piece { chunks } else { [] }
            }
        }
    }

    let uploads: XetUploads
    /// Address of the store.
    let store: String
    let memory: (any ChunkMemory)?
    /// Reads what the files were before.
    let source: any BaseSource
    let logger: Logger
    /// Called with bytes that are done with.
    let progress: (UInt64) -> Void
    /// Throws when the commit is to end.
    let checkStop: () throws(PublishError) -> Void

    private static let pieceBytes = 1 << 20
    /// Chunks of a commit: each may need a row of 48 bytes in the shard, which may have 64 MiB.
    private static let chunkCountMax = 1_200_000
    /// Questions for chunks under way at once, and of one commit.
    private static let queryCountMax = (parallel: 8, whole: 256)
    /// One chunk in so many can be asked for.
    private static let eligibleModulus: UInt64 = 1024

    /// Publishes files, so that a commit can name their digests.
    ///
    /// - Throws: `.hub` with what the store said; nothing of the files is known there then.
    func publish(_ objects: [Object]) throws(PublishError) {
        var cuts: [Cut] = []
        for object in objects {
            try checkStop()
            cuts.append(try cut(object))
        }
        guard cuts.reduce(0, { $0 + $1.chunks.count }) <= Self.chunkCountMax else {
            throw .hub(.malformed(url: store, reason: "more chunks than one shard may have"))
        }
        let wanted = Set(cuts.lazy.flatMap { $0.chunks.lazy.map(\.hash) })
        var known = memory?.places(of: wanted, in: store) ?? [:]
        let remembered = Set(known.values.map(\.xorb))
        for cut in cuts {
            if let delta = cut.object.delta {
                known.merge(delta.places) { known, _ in known }
            } else {
                try learnBase(of: cut, &known)
            }
        }
        try askStore(cuts, &known)
        do throws(PublishError) {
            try send(cuts, known)
        } catch .hub(let error) where !known.isEmpty && error.refusal?.status == 400 {
            // It has forgotten what it once had.
            logger.notice("the store does not have chunks that are known here: all are sent")
            memory?.forget(remembered, in: store)
            try send(cuts, [:])
        }
    }

    private func cut(_ object: Object) throws(PublishError) -> Cut {
        if let delta = object.delta {
            return Cut(object: object, pieces: delta.pieces, hash: delta.hash)
        }
        let chunks =
            if let known = object.chunks { known } else {
                try FileCutting.chunks(of: object.file)
            }
        return Cut(
            object: object, pieces: [.chunks(chunks, offset: 0)],
            hash: FileCutting.name(of: chunks))
    }

    // MARK: What it was before

    /// Finds the chunks of what a file was before, if that is here, as it is when some bytes of a file were
    /// changed: cut as the file itself, and named by the terms that the store has for it.
    private func learnBase(
        of cut: Cut, _ known: inout [XetHash: ChunkPlace]
    ) throws(PublishError) {
        let unknown = cut.chunks.reduce(UInt64(0)) { sum, chunk in
            sum + (known[chunk.hash] == nil ? chunk.byteCount : 0)
        }
        guard let base = cut.object.base, base.content.isInStore else { return }
        // What is known of the file is of what it was before, as a rule.
        let unchanged = min(base.size, cut.object.file.size - unknown)
        let gain = min(unknown, base.size - unchanged)
        guard gain > max(Self.gainBytesMin, base.size / Self.gainShareMin),
            base.size - min(base.size, source.presentBytes(of: base)) <= Self.absentBytesMax
        else { return }
        var hasher = FileHasher()
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Self.pieceBytes, alignment: 64)
        defer { buffer.deallocate() }
        var offset: UInt64 = 0
        while offset < base.size {
            try checkStop()
            let count = Int(min(UInt64(Self.pieceBytes), base.size - offset))
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer.prefix(count))
            do throws(PublishError) {
                try source.read(base, at: offset, into: part)
            } catch {
                // It would have saved bytes; the commit does not need it.
                return logger.info("what \(base.path) was before is not looked into: \(error)")
            }
            hasher.update(UnsafeRawBufferPointer(part))
            offset += UInt64(count)
        }
        let hash = hasher.finish()
        let answer = waitForAnswer { uploads.terms(of: hash, completion: $0) }
        guard case .success(let terms?) = answer else { return }
        let places = terms.lazy.flatMap { term in
            term.chunks.lazy.map { ChunkPlace(xorb: term.xorb, number: $0) }
        }
        guard places.count == hasher.chunks.count else { return }
        for (chunk, place) in zip(hasher.chunks, places) where known[chunk.hash] == nil {
            known[chunk.hash] = place
        }
    }

    /// A file's base is not looked into for fewer bytes, and a smaller share of it, that need not be sent then: to read
    /// and cut it takes longer than to send them on a line of 25 Mbit/s.
    private static let gainBytesMin: UInt64 = 256 << 10
    private static let gainShareMin: UInt64 = 256
    /// With more of it absent, the file is another than it was: its base is not fetched for this.
    private static let absentBytesMax: UInt64 = 32 << 20

    // MARK: What the store has

    /// Asks for first chunks of files and for one chunk in 1024, where they are not known.
    private func askStore(
        _ cuts: [Cut], _ known: inout [XetHash: ChunkPlace]
    ) throws(PublishError) {
        var questions: [XetHash] = []
        for cut in cuts.sorted(by: { $0.object.file.size > $1.object.file.size }) {
            for (number, chunk) in cut.chunks.enumerated()
            where number == 0 || chunk.hash.modulo(Self.eligibleModulus) == 0 {
                questions.append(chunk.hash)
            }
        }
        var left = questions.prefix(Self.queryCountMax.whole)[...]
        while !left.isEmpty {
            try checkStop()
            var round: [XetHash] = []
            while round.count < Self.queryCountMax.parallel, let chunk = left.popFirst() {
                if known[chunk] == nil { round.append(chunk) }
            }
            for shard in answers(to: round) { learn(shard, cuts, &known) }
        }
    }

    /// Whatever goes wrong with a question, its chunk is sent.
    private func answers(to chunks: [XetHash]) -> [Shard] {
        let answers = Monitor((shards: [Shard](), count: 0))
        for chunk in chunks {
            uploads.query(chunk) { result in
                answers.update { answers in
                    answers.count += 1
                    if case .success(let shard?) = result { answers.shards.append(shard) }
                }
            }
        }
        return answers.wait { answers -> [Shard]? in
            answers.count == chunks.count ? answers.shards : nil
        }!
    }

    private func learn(_ shard: Shard, _ cuts: [Cut], _ known: inout [XetHash: ChunkPlace]) {
        var places: [XetHash: ChunkPlace] = [:]
        for xorb in shard.xorbs {
            for (number, chunk) in xorb.chunks.enumerated() {
                places[chunk.hash] = ChunkPlace(xorb: xorb.hash, number: UInt32(number))
            }
        }
        if places.isEmpty { return }
        for cut in cuts {
            for chunk in cut.chunks where known[chunk.hash] == nil {
                let name = shard.key == .zero ? chunk.hash : chunk.hash.keyed(shard.key)
                if let place = places[name] { known[chunk.hash] = place }
            }
        }
    }

    // MARK: Sending

    private func send(
        _ cuts: [Cut], _ known: [XetHash: ChunkPlace]
    ) throws(PublishError) {
        let unknownCount = cuts.reduce(0) { sum, cut in
            sum + cut.chunks.count { known[$0.hash] == nil }
        }
        var packing = XorbPacking(
            XorbTransfers(uploads), chunkCountMax: unknownCount, store: store, memory: memory)
        var lists: [TermList] = []
        for cut in cuts {
            lists.append(try pack(cut, known, &packing))
        }
        try packing.finish()
        var files: [XetHash: ShardFile] = [:]
        for (cut, terms) in zip(cuts, lists) {
            files[cut.hash] = terms.file(
                cut.chunks, hash: cut.hash, xorbs: packing.names,
                sha256: cut.object.sha256?.bytes)
        }
        let shard = Shard(
            files: files.values.sorted { $0.hash < $1.hash },
            xorbs: packing.xorbs.sorted { $0.hash < $1.hash })
        CrashPoint.xorbsStored.pass()
        let bytes = shard.uploaded
        do throws(HubError) {
            try waitForAnswer { uploads.register(bytes, completion: $0) }.get()
        } catch {
            throw .hub(error)
        }
        let newBytes = packing.sentByteCount
        logger.info(
            "files are in the content-addressed store",
            metadata: [
                "files": "\(files.count)", "sent": "\(newBytes)", "shard": "\(bytes.count)",
            ])
    }

    private func pack(
        _ cut: Cut, _ known: [XetHash: ChunkPlace], _ packing: inout XorbPacking
    ) throws(PublishError) -> TermList {
        var terms = TermList()
        packing.beginFile()
        let reader = PieceReader(cut.object.file)
        for piece in cut.pieces {
            switch piece {
            case .kept(let term, let proof):
                terms.append(term, proof: proof)
                progress(UInt64(term.byteCount))
            case .chunks(let chunks, let offset):
                try pack(chunks, at: offset, reader, known, &packing, &terms)
            }
        }
        return terms
    }

    private func pack(
        _ chunks: [MerkleNode], at offset: UInt64, _ reader: PieceReader,
        _ known: [XetHash: ChunkPlace], _ packing: inout XorbPacking, _ terms: inout TermList
    ) throws(PublishError) {
        var offset = offset
        for (index, chunk) in chunks.enumerated() {
            let count = UInt32(chunk.byteCount)
            let here = packing.source(of: chunk.hash)
            let source = known[chunk.hash].map { TermList.ChunkSource.stored($0) } ?? here
            let run = Self.run(chunks[index...], known)
            if let source, terms.continues(with: source) || terms.isWorthwhile(runCount: run) {
                terms.append(source, byteCount: count)
            } else {
                try checkStop()
                let bytes = try reader.read(at: offset, count: Int(count))
                terms.append(try packing.append(bytes, chunk.hash), byteCount: count)
            }
            progress(chunk.byteCount)
            offset += chunk.byteCount
        }
    }

    /// How many chunks are known that follow each other here and there; more than a few do not matter.
    private static func run(
        _ chunks: ArraySlice<MerkleNode>, _ known: [XetHash: ChunkPlace]
    ) -> Int {
        guard let first = chunks.first.flatMap({ known[$0.hash] }) else { return 0 }
        var count = 0
        for chunk in chunks.prefix(8) {
            let next = ChunkPlace(xorb: first.xorb, number: first.number + UInt32(count))
            guard known[chunk.hash] == next else { break }
            count += 1
        }
        return count
    }
}

extension ContentID {
    /// Whether the store may have it: what git keeps it has not.
    fileprivate var isInStore: Bool {
        if case .git = self { false } else { true }
    }
}
