import FoundationEssentials
import GRDB
import XetCodec

extension CacheDatabase {
    static let chunkTables = """
        -- Contents whose chunks are known.
        CREATE TABLE IF NOT EXISTS chunk_content (
            hex TEXT PRIMARY KEY,
            byte_count INTEGER NOT NULL,     -- length of its rows' chunks
            stored_at INTEGER NOT NULL       -- seconds since 1970
        ) WITHOUT ROWID;
        -- Which chunks of xorbs they are.
        CREATE TABLE IF NOT EXISTS chunk_run (
            xorb BLOB NOT NULL,              -- hash of a xorb, 32 bytes
            first INTEGER NOT NULL,          -- number of the first chunk in it
            hex TEXT NOT NULL,
            start INTEGER NOT NULL,          -- offset of the first chunk in the content
            chunks BLOB NOT NULL             -- ChunkRun.bytes
        );
        CREATE INDEX IF NOT EXISTS chunk_run_of_xorb ON chunk_run (xorb);
        CREATE INDEX IF NOT EXISTS chunk_run_of_content ON chunk_run (hex);
        """

    /// Room for what is known of chunks: enough for contents of a hundred GiB.
    private static let chunkBytesMax: Int64 = 64 << 20
    /// What a row takes besides its chunks, in its table and in two indexes.
    private static let chunkRowBytes = 256

    /// Whether any content's chunks are known.
    func knowsChunks() throws(CacheError) -> Bool {
        try file.read { database in
            try Bool.fetchOne(database, sql: "SELECT EXISTS (SELECT 1 FROM chunk_content)") ?? false
        }
    }

    func knowsChunks(of hex: String) throws(CacheError) -> Bool {
        try file.read { database in
            try Bool.fetchOne(
                database, sql: "SELECT EXISTS (SELECT 1 FROM chunk_content WHERE hex = ?)",
                arguments: [hex]) ?? false
        }
    }

    /// What contents have of some xorbs.
    func chunkRuns(of xorbs: some Sequence<XetHash>) throws(CacheError) -> [ChunkRun] {
        try file.read { database in
            let statement = try database.cachedStatement(
                sql: "SELECT first, hex, start, chunks FROM chunk_run WHERE xorb = ?")
            var runs: [ChunkRun] = []
            for xorb in xorbs {
                for row in try Row.fetchAll(statement, arguments: [Data(xorb.bytes)]) {
                    let run = ChunkRun(
                        xorb: xorb, first: row["first"], hex: row["hex"],
                        start: UInt64(row["start"] as Int64), bytes: row.bytes("chunks"))
                    if let run { runs.append(run) }
                }
            }
            return runs
        }
    }

    /// Remembers the chunks of a content, and forgets those that were remembered longest ago.
    func store(_ runs: [ChunkRun], of hex: String, at seconds: Int64) throws(CacheError) {
        let counts = runs.map { $0.bytes.count + Self.chunkRowBytes }
        let sum = counts.reduce(0, +)
        // Once into the log and once into the file.
        try file.charging(2 * sum) { () throws(CacheError) in
            let pagesEach = 4 + (counts.max() ?? 0) / 4096
            try file.write(each: runs, pagesEach: pagesEach) { database, run in
                try database.cachedStatement(
                    sql: "INSERT INTO chunk_run VALUES (?, ?, ?, ?, ?)"
                ).execute(arguments: [
                    Data(run.xorb.bytes), run.first, run.hex, Int64(run.start), Data(run.bytes),
                ])
            }
            // Last, so that it stands for all of them.
            try file.write { database in
                try database.execute(
                    sql: "INSERT OR REPLACE INTO chunk_content VALUES (?, ?, ?)",
                    arguments: [hex, sum, seconds])
            }
        }
        while try chunkBytes() > Self.chunkBytesMax, let oldest = try oldestChunks() {
            try forgetChunks(of: oldest)
        }
    }

    func forgetChunks(of hex: String) throws(CacheError) {
        try file.write { database in
            try database.execute(
                sql: "DELETE FROM chunk_content WHERE hex = ?", arguments: [hex])
        }
        // A part at a time: a transaction is small.
        var changed = 1
        while changed > 0 {
            changed = try file.write { database in
                try database.execute(
                    sql: """
                        DELETE FROM chunk_run WHERE rowid IN
                        (SELECT rowid FROM chunk_run WHERE hex = ? LIMIT 4)
                        """, arguments: [hex])
                return database.changesCount
            }
        }
    }

    private func chunkBytes() throws(CacheError) -> Int64 {
        try file.read { database in
            try Int64.fetchOne(database, sql: "SELECT sum(byte_count) FROM chunk_content") ?? 0
        }
    }

    private func oldestChunks() throws(CacheError) -> String? {
        try file.read { database in
            try String.fetchOne(
                database, sql: "SELECT hex FROM chunk_content ORDER BY stored_at, hex LIMIT 1")
        }
    }
}
