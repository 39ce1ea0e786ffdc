import FoundationEssentials
import GRDB
import HubClient

extension CacheDatabase {
    /// Orders kept: those of so many commits, the ones used last, and so many bytes of them.
    static let readOrderCountMax = 64
    private static let readOrderBytesMax: Int64 = 16 << 20

    /// The order in which a commit was read, else the newest of another commit of the repo.
    func readOrder(
        _ repo: RepoID, near commit: CommitOID
    ) throws(CacheError) -> ReadOrder? {
        try file.read { database in
            let row = try Row.fetchOne(
                database,
                sql: """
                    SELECT ranges FROM read_order WHERE repo = ?
                    ORDER BY commit_oid = ? DESC, used_at DESC LIMIT 1
                    """, arguments: [repo.description, commit.hex])
            return row.flatMap { try? ReadOrder(text: $0.bytes("ranges")) }
        }
    }

    /// Keeps the order of a commit, in place of the one it had, and drops the oldest ones of others.
    func store(_ order: ReadOrder, at seconds: Int64) throws(CacheError) {
        let text = Data(order.text.utf8)
        // Once into the log and once into the file.
        try file.write(charging: 2 * text.count) { database in
            try database.execute(
                sql: "INSERT OR REPLACE INTO read_order VALUES (?, ?, ?, ?, ?)",
                arguments: [
                    order.repo.description, order.commit.hex, seconds, text.count, text,
                ])
            while let sums = try Row.fetchOne(
                database, sql: "SELECT count(*) AS count, sum(byte_count) AS bytes FROM read_order"),
                sums["count"] as Int > Self.readOrderCountMax
                    || sums["bytes"] as Int64 > Self.readOrderBytesMax
            {
                try database.execute(
                    sql: """
                        DELETE FROM read_order WHERE rowid =
                        (SELECT rowid FROM read_order ORDER BY used_at, rowid LIMIT 1)
                        """)
            }
        }
    }
}
