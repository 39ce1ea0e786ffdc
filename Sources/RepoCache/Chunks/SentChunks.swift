import FoundationEssentials
import GRDB
import Glibc
package import XetCodec

extension RepoCache {
    /// Where the content-addressed store has chunks: those of xorbs that were sent from here, and those of
    /// contents that were read from it.
    ///
    /// All that is known is looked through once: a file's chunks are few beside it, and an index by chunk
    /// would be larger than what it finds.
    ///
    /// - Parameters:
    ///   - chunks: What is asked for.
    ///   - store: The address of the store.
    /// - Returns: a xorb and the number in it, for those that are known.
    package func places(
        of chunks: Set<XetHash>, in store: String
    ) -> [XetHash: (xorb: XetHash, number: Int)] {
        if chunks.isEmpty { return [:] }
        return (try? database.places(of: chunks, in: store)) ?? [:]
    }

    /// Remembers a xorb that the store has taken.
    package func remember(_ xorb: XetHash, _ chunks: [MerkleNode], in store: String) {
        try? database.storeSent(xorb, chunks, in: store, at: Int64(time(nil)))
    }

    /// Forgets xorbs that the store does not have.
    package func forget(_ xorbs: Set<XetHash>, in store: String) {
        for xorb in xorbs { try? database.forgetSent(xorb, in: store) }
    }
}

extension CacheDatabase {
    static let sentTables = """
        -- Chunks of xorbs that were sent from here.
        CREATE TABLE IF NOT EXISTS sent_run (
            store TEXT NOT NULL,             -- address of the store
            xorb BLOB NOT NULL,              -- its hash, 32 bytes
            first INTEGER NOT NULL,          -- number of the first chunk
            sent_at INTEGER NOT NULL,        -- seconds since 1970
            chunks BLOB NOT NULL             -- ChunkRun.bytes
        );
        CREATE INDEX IF NOT EXISTS sent_run_of_xorb ON sent_run (xorb);
        """

    /// Room for what was sent: chunks of fifty GiB.
    private static let sentBytesMax: Int64 = 32 << 20
    /// Rows that go at once when there is no room: of about half a GiB.
    private static let droppedCount = 16
    private static let rowBytes = 128

    func places(
        of chunks: Set<XetHash>, in store: String
    ) throws(CacheError) -> [XetHash: (xorb: XetHash, number: Int)] {
        try file.read { database in
            var places: [XetHash: (xorb: XetHash, number: Int)] = [:]
            func look(_ sql: String, _ arguments: StatementArguments) throws {
                let rows = try Row.fetchCursor(database, sql: sql, arguments: arguments)
                while let row = try rows.next(), places.count < chunks.count {
                    let xorb = row.bytes("xorb").withUnsafeBytes { bytes in
                        bytes.count == XetHash.byteCount ? XetHash(bytes: bytes) : nil
                    }
                    guard let xorb,
                        let run = ChunkRun(
                            xorb: xorb, first: row["first"], hex: "", start: 0,
                            bytes: row.bytes("chunks"))
                    else { continue }
                    for (number, hash) in zip(run.numbers, run.hashes)
                    where chunks.contains(hash) && places[hash] == nil {
                        places[hash] = (xorb, number)
                    }
                }
            }
            try look("SELECT xorb, first, chunks FROM sent_run WHERE store = ?", [store])
            try look("SELECT xorb, first, chunks FROM chunk_run", [])
            return places
        }
    }

    func storeSent(
        _ xorb: XetHash, _ chunks: [MerkleNode], in store: String, at seconds: Int64
    ) throws(CacheError) {
        let runs = stride(from: 0, to: chunks.count, by: ChunkRun.countMax).map { first in
            ChunkRun(
                xorb: xorb, first: first, hex: "", start: 0,
                chunks: chunks[first..<min(first + ChunkRun.countMax, chunks.count)])
        }
        let sum = runs.reduce(0) { $0 + $1.bytes.count + Self.rowBytes }
        let pagesEach = 4 + ChunkRun.countMax * 36 / 4096
        try file.charging(2 * sum) { () throws(CacheError) in
            try file.write(each: runs, pagesEach: pagesEach) { database, run in
                try database.cachedStatement(
                    sql: "INSERT INTO sent_run VALUES (?, ?, ?, ?, ?)"
                ).execute(arguments: [
                    store, Data(run.xorb.bytes), run.first, seconds, Data(run.bytes),
                ])
            }
        }
        while try sentBytes() > Self.sentBytesMax {
            try file.write { database in
                try database.execute(
                    sql: """
                        DELETE FROM sent_run WHERE rowid IN
                        (SELECT rowid FROM sent_run ORDER BY rowid LIMIT ?)
                        """, arguments: [Self.droppedCount])
            }
        }
    }

    func forgetSent(_ xorb: XetHash, in store: String) throws(CacheError) {
        try file.write { database in
            try database.execute(
                sql: "DELETE FROM sent_run WHERE xorb = ? AND store = ?",
                arguments: [Data(xorb.bytes), store])
        }
    }

    private func sentBytes() throws(CacheError) -> Int64 {
        try file.read { database in
            try Int64.fetchOne(
                database, sql: "SELECT sum(length(chunks) + ?) FROM sent_run",
                arguments: [Self.rowBytes]) ?? 0
        }
    }
}
