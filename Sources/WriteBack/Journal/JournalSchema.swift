/// The journal's tables. docs/JOURNAL.md explains what is written when, and the recovery.
enum JournalSchema {
    static let version = 1

    static let tables = """
        CREATE TABLE fact (
            name TEXT PRIMARY KEY,     -- see JournalFact
            value TEXT NOT NULL
        ) WITHOUT ROWID;

        -- Objects that differ from the base, and the directories above them.
        CREATE TABLE node (
            number INTEGER PRIMARY KEY, -- NodeNumber; 1 is the mounted directory
            parent INTEGER NOT NULL,    -- number of its directory; 0 for the root
            name BLOB NOT NULL,         -- as the program gave it
            kind INTEGER NOT NULL,      -- 0 directory, 1 file, 2 symbolic link
            inode INTEGER NOT NULL,     -- st_ino, as a signed number of the same bits
            permissions INTEGER,        -- NULL: as the mount presents files
            uid INTEGER, gid INTEGER,   -- NULL: as the mount presents files
            modified INTEGER,           -- nanoseconds since 1970; NULL: the base commit's date
            target BLOB,                -- of a symbolic link
            redirect TEXT,              -- directory: the Hub's directory that shows through
            base_commit TEXT,           -- file: where its base bytes are, see BaseFile;
                                        -- directory: NULL where it is the base's
            base_path TEXT,
            base_content TEXT,          -- 40 digits: git blob; 64: LFS
            base_size INTEGER,
            UNIQUE (parent, name)
        );

        -- Names of the base that are gone.
        CREATE TABLE whiteout (
            parent INTEGER NOT NULL,
            name BLOB NOT NULL,
            PRIMARY KEY (parent, name)
        ) WITHOUT ROWID;

        CREATE TABLE attribute (
            node INTEGER NOT NULL,
            name BLOB NOT NULL,
            value BLOB NOT NULL,
            PRIMARY KEY (node, name)
        ) WITHOUT ROWID;

        -- Edited bytes of a file: those in staging/NUMBER and those that are zero.
        CREATE TABLE layer (
            number INTEGER PRIMARY KEY, -- also the name of the staging file
            node INTEGER NOT NULL,
            is_sealed INTEGER NOT NULL, -- 1: never changes again, belongs to a commit
            size INTEGER NOT NULL,      -- of the file as seen through this layer
            lower_limit INTEGER NOT NULL, -- bytes of the layer below that still show
            synced_size INTEGER,        -- as of the last fsync; NULL: never
            synced_lower_limit INTEGER
        );
        CREATE INDEX layer_node ON layer (node);

        CREATE TABLE extent (
            layer INTEGER NOT NULL,
            start INTEGER NOT NULL,     -- first byte
            stop INTEGER NOT NULL,      -- first byte after it
            kind INTEGER NOT NULL,      -- ExtentMap.Kind
            PRIMARY KEY (layer, start)
        ) WITHOUT ROWID;

        -- The extents as of the last fsync: what a power cut leaves.
        CREATE TABLE synced_extent (
            layer INTEGER NOT NULL,
            start INTEGER NOT NULL,
            stop INTEGER NOT NULL,
            kind INTEGER NOT NULL,
            PRIMARY KEY (layer, start)
        ) WITHOUT ROWID;
        """
}

/// Single values of the journal.
enum JournalFact: String {
    /// The commit the edits are based on, 40 digits.
    case baseCommit = "base_commit"
    /// Numbers below this one may have been given out.
    case reservedNumber = "reserved_number"
    /// The run of the machine in which the journal was last open, 32 digits.
    case bootID = "boot_id"
    /// The branch or pull request that commits go to, once that is not the mounted branch any more.
    case target
    /// The commit that is being published: base, title and what it must contain (JSON).
    case plan = "plan"
    /// Paths that both sides changed, until somebody decides: `ConflictRecord` (JSON).
    case conflicts
    /// What a commit of ours went on top of, until the tree shows it: `ForeignChange` (JSON).
    case foreign
    /// The title of the part of a commit that is the base, while later parts are to come.
    case series
    /// What the workspace belongs to, see `WorkspaceKey` (JSON).
    case owner = "owner"
    /// Why the last commit did not come about.
    case lastFailure = "last_failure"
}
