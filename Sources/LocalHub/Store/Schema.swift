import GRDB

/// The tables of `hub.sqlite`; each column is explained here and nowhere else.
enum Schema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1") { database in
            try database.execute(
                sql: """
                    -- Values of the Hub itself: 'urlKey' (hex) signs CDN and upload URLs.
                    CREATE TABLE setting (
                        name TEXT PRIMARY KEY,
                        value TEXT NOT NULL
                    ) WITHOUT ROWID;

                    CREATE TABLE token (
                        digest TEXT PRIMARY KEY,     -- SHA-256 of the token, hex; never the token
                        name TEXT NOT NULL UNIQUE,   -- what the person who made it calls it
                        user TEXT NOT NULL,          -- whoami's name; also a namespace of its own
                        role TEXT NOT NULL,          -- 'read' or 'write'
                        namespaces TEXT,             -- comma-separated; NULL is every namespace
                        created REAL NOT NULL        -- seconds since 1970
                    ) WITHOUT ROWID;

                    CREATE TABLE repo (
                        id TEXT PRIMARY KEY,         -- 24 hex digits, never used again
                        kind TEXT NOT NULL,          -- 'model', 'dataset', 'space' or 'kernel'
                        namespace TEXT NOT NULL COLLATE NOCASE,
                        name TEXT NOT NULL COLLATE NOCASE,
                        private INTEGER NOT NULL,    -- 0 or 1
                        gated TEXT,                  -- NULL, 'auto' or 'manual'
                        disabled INTEGER NOT NULL,   -- 0 or 1
                        sdk TEXT,                    -- spaces only
                        created REAL NOT NULL,       -- seconds since 1970
                        UNIQUE (kind, namespace, name)
                    ) WITHOUT ROWID;

                    -- Who may read a gated repo besides the members of its namespace.
                    CREATE TABLE access (
                        repo TEXT NOT NULL REFERENCES repo (id) ON DELETE CASCADE,
                        user TEXT NOT NULL,
                        PRIMARY KEY (repo, user)
                    ) WITHOUT ROWID;

                    -- One-segment and former ids, answered with a redirect to the repo.
                    CREATE TABLE alias (
                        kind TEXT NOT NULL,
                        old TEXT NOT NULL COLLATE NOCASE,
                        repo TEXT NOT NULL REFERENCES repo (id) ON DELETE CASCADE,
                        PRIMARY KEY (kind, old)
                    ) WITHOUT ROWID;
                    """)
        }
        migrator.registerMigration("2") { database in
            try database.execute(
                sql: """
                    CREATE TABLE discussion (
                        repo TEXT NOT NULL REFERENCES repo (id) ON DELETE CASCADE,
                        num INTEGER NOT NULL,        -- from 1; refs/pr/NUM if a pull request
                        title TEXT NOT NULL,
                        author TEXT NOT NULL,        -- a user
                        created REAL NOT NULL,       -- seconds since 1970
                        status TEXT NOT NULL,        -- 'open', 'closed', 'merged' or 'draft'
                        target TEXT,                 -- ref to merge into; NULL: a discussion
                        mergeCommit TEXT,            -- what merged it; NULL before
                        PRIMARY KEY (repo, num)
                    ) WITHOUT ROWID;

                    CREATE TABLE discussionEvent (
                        id INTEGER PRIMARY KEY,      -- grows with time
                        repo TEXT NOT NULL,
                        num INTEGER NOT NULL,
                        kind TEXT NOT NULL,          -- 'comment', 'status-change',
                                                     -- 'title-change' or 'commit'
                        author TEXT NOT NULL,        -- a user
                        created REAL NOT NULL,       -- seconds since 1970
                        value TEXT NOT NULL,         -- text, status, new title, commit's title
                        other TEXT NOT NULL,         -- '', '', former title, commit's id
                        FOREIGN KEY (repo, num) REFERENCES discussion (repo, num)
                            ON DELETE CASCADE
                    );
                    CREATE INDEX discussionEventOf ON discussionEvent (repo, num);

                    -- Commits of histories that were rewritten; git still has them.
                    CREATE TABLE forgotten (
                        repo TEXT NOT NULL REFERENCES repo (id) ON DELETE CASCADE,
                        oid TEXT NOT NULL,
                        PRIMARY KEY (repo, oid)
                    ) WITHOUT ROWID;
                    """)
        }
        migrator.registerMigration("3") { try $0.execute(sql: xet) }
        migrator.registerMigration("4") { try $0.execute(sql: buckets) }
        migrator.registerMigration("5") { try $0.execute(sql: bucketChanges) }
        return migrator
    }

    /// What the CAS knows. Hashes are in their text form; numbers in BLOBs are little-endian.
    private static let xet = """
        -- Xorbs of all repos; each is a file of its own.
        CREATE TABLE xorb (
            hash TEXT PRIMARY KEY,
            chunks BLOB NOT NULL         -- each 40 bytes: hash, u32 end of its record in the
                                         -- xorb, u32 bytes unpacked
        );

        -- What files are made of.
        CREATE TABLE xetFile (
            hash TEXT PRIMARY KEY,
            size INTEGER NOT NULL,       -- bytes
            terms BLOB NOT NULL          -- each 44 bytes: xorb, u32 bytes unpacked, u32 first
                                         -- chunk, u32 end of its chunks
        );

        -- Which of these a repo has, by the names LFS pointers give them.
        CREATE TABLE xetObject (
            repo TEXT NOT NULL REFERENCES repo (id) ON DELETE CASCADE,
            oid TEXT NOT NULL,           -- SHA-256, hex
            hash TEXT NOT NULL REFERENCES xetFile (hash),
            created REAL NOT NULL,       -- seconds since 1970
            PRIMARY KEY (repo, oid)
        ) WITHOUT ROWID;
        CREATE INDEX xetObjectOf ON xetObject (repo, hash);

        -- Chunks that deduplication queries find.
        CREATE TABLE xetChunk (
            hash TEXT PRIMARY KEY,
            xorb TEXT NOT NULL REFERENCES xorb (hash)
        ) WITHOUT ROWID;
        """

    private static let bucketChanges = """
        -- The last changes of each bucket, for those who follow it.
        CREATE TABLE bucketChange (
            id INTEGER PRIMARY KEY AUTOINCREMENT, -- what cursors name; grows with time
            bucket TEXT NOT NULL REFERENCES bucket (id) ON DELETE CASCADE,
            path TEXT NOT NULL,
            op TEXT NOT NULL,            -- 'add', 'update' or 'delete'
            hash TEXT,                   -- this and the next two: as bucketFile has them, of
            size INTEGER,                -- what is there then; NULL for a deletion
            mtime REAL,
            time REAL NOT NULL           -- seconds since 1970; bucketFile.uploaded
        );
        CREATE INDEX bucketChangeOf ON bucketChange (bucket, id);

        -- The last change of a bucket that is not kept any more, and its time.
        ALTER TABLE bucket ADD COLUMN dropped INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE bucket ADD COLUMN droppedAt REAL NOT NULL DEFAULT 0;
        UPDATE bucket SET droppedAt = updated;
        """

    private static let buckets = """
        CREATE TABLE bucket (
            id TEXT PRIMARY KEY,         -- 24 hex digits, never used again
            namespace TEXT NOT NULL COLLATE NOCASE,
            name TEXT NOT NULL COLLATE NOCASE,
            private INTEGER NOT NULL,    -- 0 or 1
            created REAL NOT NULL,       -- seconds since 1970
            updated REAL NOT NULL,       -- the last change of a file, seconds since 1970
            UNIQUE (namespace, name)
        ) WITHOUT ROWID;

        -- Former ids, answered with a redirect to the bucket.
        CREATE TABLE bucketAlias (
            old TEXT PRIMARY KEY COLLATE NOCASE,
            bucket TEXT NOT NULL REFERENCES bucket (id) ON DELETE CASCADE
        ) WITHOUT ROWID;

        -- What was uploaded to the bucket or copied there, and may be put at its paths.
        CREATE TABLE bucketContent (
            bucket TEXT NOT NULL REFERENCES bucket (id) ON DELETE CASCADE,
            hash TEXT NOT NULL REFERENCES xetFile (hash),
            PRIMARY KEY (bucket, hash)
        ) WITHOUT ROWID;

        CREATE TABLE bucketFile (
            bucket TEXT NOT NULL REFERENCES bucket (id) ON DELETE CASCADE,
            path TEXT NOT NULL,
            hash TEXT NOT NULL,
            size INTEGER NOT NULL,       -- bytes
            mtime REAL,                  -- as the uploader tells it, seconds since 1970
            uploaded REAL NOT NULL,      -- seconds since 1970
            contentType TEXT,            -- as the uploader tells it
            PRIMARY KEY (bucket, path)
        ) WITHOUT ROWID;
        """
}
