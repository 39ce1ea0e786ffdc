import HubClient
import XetCodec

/// Chunks on their way into xorbs, and those on their way to the store.
struct XorbPacking {
    /// Bytes of a xorb: several wait in memory at once.
    private static let xorbBytes = 16 << 20

    private let transfers: XorbTransfers
    private let store: String
    private let memory: (any ChunkMemory)?
    private var writer = XorbWriter(reserving: Self.xorbBytes)
    private var places: [XetHash: Place] = [:]
    /// Those that were cut, in their order.
    private(set) var names: [XetHash] = []
    private(set) var xorbs: [ShardXorb] = []

    /// One of these xorbs' chunks. Small: there can be a million.
    private struct Place {
        let xorb: UInt32
        let number: UInt32

        var source: TermList.ChunkSource { .new(xorb: Int(xorb), number: number) }
    }

    /// - Parameter chunkCountMax: How many there can be. A table that grows takes three times its size.
    init(
        _ transfers: XorbTransfers, chunkCountMax: Int, store: String,
        memory: (any ChunkMemory)?
    ) {
        places.reserveCapacity(chunkCountMax)
        self.transfers = transfers
        self.store = store
        self.memory = memory
    }

    var sentByteCount: Int { transfers.sentByteCount }

    mutating func beginFile() { writer.beginFile() }

    /// Where a chunk is that was packed before.
    func source(of chunk: XetHash) -> TermList.ChunkSource? { places[chunk]?.source }

    mutating func append(
        _ chunk: UnsafeRawBufferPointer, _ hash: XetHash
    ) throws(PublishError) -> TermList.ChunkSource {
        let isFull = writer.bytes.count + chunk.count > Self.xorbBytes
        if writer.chunks.isEmpty { try waitForRoom() }
        if isFull || !writer.append(chunk, hash: hash) {
            cut()
            try waitForRoom()
            let isTaken = writer.append(chunk, hash: hash)
            precondition(isTaken, "an empty xorb has room for a chunk")
        }
        let place = Place(
            xorb: UInt32(names.count), number: UInt32(writer.chunks.count - 1))
        places[hash] = place
        return place.source
    }

    /// Sends what is left, and waits until the store has everything.
    mutating func finish() throws(PublishError) {
        cut()
        places = [:]
        do throws(HubError) {
            try transfers.finish()
        } catch {
            throw .hub(error)
        }
    }

    private func waitForRoom() throws(PublishError) {
        do throws(HubError) {
            try transfers.waitForRoom()
        } catch {
            throw .hub(error)
        }
    }

    private mutating func cut() {
        if writer.chunks.isEmpty { return }
        let (hash, chunks, bytes) = (writer.hash, writer.chunks, writer.bytes)
        writer = XorbWriter(reserving: Self.xorbBytes)
        names.append(hash)
        xorbs.append(ShardXorb(hash, chunks, packedByteCount: bytes.count))
        transfers.start(hash, bytes) { [memory, store] in
            memory?.remember(hash, chunks, in: store)
            CrashPoint.xorbStored.pass()
        }
    }
}

extension ShardXorb {
    /// A xorb as it was packed.
    fileprivate init(_ hash: XetHash, _ chunks: [MerkleNode], packedByteCount: Int) {
        var start: UInt32 = 0
        var rows: [ShardChunk] = []
        rows.reserveCapacity(chunks.count)
        for chunk in chunks {
            let count = UInt32(chunk.byteCount)
            rows.append(ShardChunk(hash: chunk.hash, start: start, byteCount: count))
            start += count
        }
        self.init(
            hash: hash, chunks: rows, byteCount: start, packedByteCount: UInt32(packedByteCount))
    }
}
