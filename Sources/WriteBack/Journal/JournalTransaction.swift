import FoundationEssentials
import GRDB
import HubClient
import SystemPackage

/// The changes one transaction can make.
package struct JournalTransaction: ~Copyable {
    private let database: Database

    init(database: Database) { self.database = database }

    func fact(_ fact: JournalFact) throws -> String? {
        try String.fetchOne(
            database, sql: "SELECT value FROM fact WHERE name = ?", arguments: [fact.rawValue])
    }

    func set(_ fact: JournalFact, _ value: String) throws {
        // Not kept for the next time, as other statements are: with it stays what it was given, and
        // the text of a plan has megabytes.
        try database.execute(
            sql: "INSERT OR REPLACE INTO fact (name, value) VALUES (?, ?)",
            arguments: [fact.rawValue, value])
    }

    func remove(_ fact: JournalFact) throws {
        try run("DELETE FROM fact WHERE name = ?", [fact.rawValue])
    }

    func touchBarrier() throws {
        try run(
            """
            INSERT INTO fact (name, value) VALUES ('barrier', '1')
            ON CONFLICT (name) DO UPDATE SET value = CAST(value AS INTEGER) + 1
            """, [])
    }

    /// Adds an object or replaces what is known of it.
    func put(_ node: NodeRecord) throws {
        var redirect: String?
        var target: Data?
        var base: BaseFile?
        var commit: CommitOID?
        let kind: Int
        switch node.kind {
        case .directory(.commit(let lower)):
            (kind, redirect, commit) = (NodeKindCode.directory, lower.path, lower.commit)
        case .directory(let lower): (kind, redirect) = (NodeKindCode.directory, lower.redirect)
        case .file(let file): (kind, base, commit) = (NodeKindCode.file, file, file?.commit)
        case .link(let bytes): (kind, target) = (NodeKindCode.link, Data(bytes))
        }
        try run(
            """
            INSERT OR REPLACE INTO node (number, parent, name, kind, inode, permissions, uid, gid,
                modified, target, redirect, base_commit, base_path, base_content, base_size)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                Int64(node.number.value), Int64(node.parent?.value ?? 0), Data(node.name.bytes),
                kind, Int64(bitPattern: node.inodeNumber), node.metadata.permissions,
                node.metadata.uid, node.metadata.gid, node.metadata.modifiedNanoseconds, target,
                redirect, commit?.hex, base?.path, base?.content.hex,
                base.map { Int64($0.size) },
            ])
    }

    /// Lets a file that is known stand on other bytes of the Hub.
    func setBase(_ base: BaseFile, of node: NodeNumber) throws {
        try run(
            """
            UPDATE node SET base_commit = ?, base_path = ?, base_content = ?, base_size = ?
            WHERE number = ?
            """,
            [base.commit.hex, base.path, base.content.hex, Int64(base.size), Int64(node.value)])
    }

    /// Removes an object; its layers are removed with `remove(layersOf:)`.
    func remove(_ node: NodeNumber) throws {
        try run("DELETE FROM node WHERE number = ?", [Int64(node.value)])
        try run("DELETE FROM whiteout WHERE parent = ?", [Int64(node.value)])
        try run("DELETE FROM attribute WHERE node = ?", [Int64(node.value)])
    }

    /// Removes an object's row alone, to be put again under another name.
    func removeNodeRow(_ node: NodeNumber) throws {
        try run("DELETE FROM node WHERE number = ?", [Int64(node.value)])
    }

    func setMetadata(_ metadata: LocalMetadata, of node: NodeNumber) throws {
        try run(
            "UPDATE node SET permissions = ?, uid = ?, gid = ?, modified = ? WHERE number = ?",
            [
                metadata.permissions, metadata.uid, metadata.gid, metadata.modifiedNanoseconds,
                Int64(node.value),
            ])
    }

    func setModified(_ nanoseconds: Int64, of node: NodeNumber) throws {
        try run(
            "UPDATE node SET modified = ? WHERE number = ?", [nanoseconds, Int64(node.value)])
    }

    func putWhiteout(_ name: EntryName, in parent: NodeNumber) throws {
        try run(
            "INSERT OR REPLACE INTO whiteout (parent, name) VALUES (?, ?)",
            [Int64(parent.value), Data(name.bytes)])
    }

    func removeWhiteout(_ name: EntryName, in parent: NodeNumber) throws {
        try run(
            "DELETE FROM whiteout WHERE parent = ? AND name = ?",
            [Int64(parent.value), Data(name.bytes)])
    }

    func putAttribute(_ name: EntryName, _ value: [UInt8], of node: NodeNumber) throws {
        try run(
            "INSERT OR REPLACE INTO attribute (node, name, value) VALUES (?, ?, ?)",
            [Int64(node.value), Data(name.bytes), Data(value)])
    }

    func removeAttribute(_ name: EntryName, of node: NodeNumber) throws {
        try run(
            "DELETE FROM attribute WHERE node = ? AND name = ?",
            [Int64(node.value), Data(name.bytes)])
    }

    /// Adds a layer, or writes everything of it anew.
    func putWhole(_ layer: LayerRecord) throws {
        try run(
            """
            INSERT OR REPLACE INTO layer (number, node, is_sealed, size, lower_limit, synced_size,
                synced_lower_limit) VALUES (?, ?, ?, ?, ?, ?, ?)
            """,
            [
                Int64(layer.number), Int64(layer.node.value), layer.isSealed,
                Int64(layer.shape.size), Int64(layer.shape.lowerLimit),
                layer.synced.map { Int64($0.size) }, layer.synced.map { Int64($0.lowerLimit) },
            ])
        try run("DELETE FROM extent WHERE layer = ?", [Int64(layer.number)])
        for extent in layer.shape.extents.extents { try put(extent, of: layer.number, "extent") }
        try run("DELETE FROM synced_extent WHERE layer = ?", [Int64(layer.number)])
        for extent in layer.synced?.extents.extents ?? [] {
            try put(extent, of: layer.number, "synced_extent")
        }
    }

    /// Records one edit of a layer that is known.
    func edit(
        layer number: UInt64, size: UInt64, lowerLimit: UInt64, _ delta: ExtentMap.Delta
    ) throws {
        try run(
            "UPDATE layer SET size = ?, lower_limit = ? WHERE number = ?",
            [Int64(size), Int64(lowerLimit), Int64(number)])
        for start in delta.removedStarts {
            try run(
                "DELETE FROM extent WHERE layer = ? AND start = ?", [Int64(number), Int64(start)])
        }
        for extent in delta.changed { try put(extent, of: number, "extent") }
    }

    /// Records what the last fsync put on disk.
    func setSynced(_ layer: UnsyncedLayer) throws {
        try run(
            """
            UPDATE layer SET synced_size = ?, synced_lower_limit = ? WHERE number = ?
            """, [Int64(layer.shape.size), Int64(layer.shape.lowerLimit), Int64(layer.number)])
        // The file may have been removed while its bytes were synced.
        if database.changesCount == 0 { return }
        try run("DELETE FROM synced_extent WHERE layer = ?", [Int64(layer.number)])
        for extent in layer.shape.extents.extents {
            try put(extent, of: layer.number, "synced_extent")
        }
    }

    func removeLayer(_ number: UInt64) throws {
        try run("DELETE FROM layer WHERE number = ?", [Int64(number)])
        try run("DELETE FROM extent WHERE layer = ?", [Int64(number)])
        try run("DELETE FROM synced_extent WHERE layer = ?", [Int64(number)])
    }

    private func put(_ extent: ExtentMap.Extent, of layer: UInt64, _ table: String) throws {
        try run(
            "INSERT OR REPLACE INTO \(table) (layer, start, stop, kind) VALUES (?, ?, ?, ?)",
            [
                Int64(layer), Int64(extent.bytes.lowerBound), Int64(extent.bytes.upperBound),
                Int(extent.kind.rawValue),
            ])
    }

    private func run(_ sql: String, _ arguments: StatementArguments) throws {
        try database.cachedStatement(sql: sql).execute(arguments: arguments)
    }

    /// Everything in the journal.
    func contents(_ path: FilePath) throws -> JournalContents {
        var contents = JournalContents()
        contents.baseCommit = try fact(.baseCommit).flatMap { CommitOID(hex: $0) }
        contents.plan = try fact(.plan)
        contents.bootID = try fact(.bootID)
        contents.owner = try fact(.owner)
        contents.lastFailure = try fact(.lastFailure)
        contents.target = try fact(.target)
        contents.conflicts = try fact(.conflicts)
        contents.nodes = try Row.fetchAll(
            database, sql: "SELECT * FROM node ORDER BY number"
        ).map { try NodeRecord(row: $0, path) }
        for row in try Row.fetchAll(database, sql: "SELECT * FROM whiteout") {
            let parent = NodeNumber(try row.unsigned("parent", path))
            contents.whiteouts[parent, default: []].insert(EntryName(row: row))
        }
        for row in try Row.fetchAll(database, sql: "SELECT * FROM attribute") {
            let node = NodeNumber(try row.unsigned("node", path))
            contents.attributes[node, default: [:]][EntryName(row: row)] =
                [UInt8]((row["value"] as Data?) ?? Data())
        }
        let extents = try extents("extent", path)
        let synced = try self.extents("synced_extent", path)
        contents.layers = try Row.fetchAll(
            database, sql: "SELECT * FROM layer ORDER BY number"
        ).map { try LayerRecord(row: $0, path, extents: extents, synced: synced) }
        if let fault = contents.treeFault {
            throw WriteBackError.damaged(path: path.string, reason: fault)
        }
        return contents
    }

    private func extents(_ table: String, _ path: FilePath) throws -> [UInt64: ExtentMap] {
        var lists: [UInt64: [ExtentMap.Extent]] = [:]
        for row in try Row.fetchAll(database, sql: "SELECT * FROM \(table) ORDER BY layer, start") {
            guard let kind = ExtentMap.Kind(rawValue: row["kind"]) else {
                throw WriteBackError.damaged(path: path.string, reason: "extent of unknown kind")
            }
            let start = try row.unsigned("start", path)
            let end = try row.unsigned("stop", path)
            guard start < end else {
                throw WriteBackError.damaged(path: path.string, reason: "extent without bytes")
            }
            lists[try row.unsigned("layer", path), default: []].append(
                ExtentMap.Extent(bytes: start..<end, kind: kind))
        }
        return try lists.mapValues { list in
            guard let map = ExtentMap(stored: list) else {
                throw WriteBackError.damaged(path: path.string, reason: "extents overlap")
            }
            return map
        }
    }
}

/// How `node.kind` is stored.
enum NodeKindCode {
    static let directory = 0
    static let file = 1
    static let link = 2
}

extension Row {
    /// A number that is never negative.
    fileprivate func unsigned(_ column: String, _ path: FilePath) throws -> UInt64 {
        guard let value = UInt64(exactly: self[column] as Int64) else {
            throw WriteBackError.damaged(path: path.string, reason: "a negative \(column)")
        }
        return value
    }
}

extension EntryName {
    fileprivate init(row: Row) {
        self.init([UInt8]((row["name"] as Data?) ?? Data()))
    }
}

extension NodeRecord {
    fileprivate init(row: Row, _ path: FilePath) throws {
        number = NodeNumber(try row.unsigned("number", path))
        let parent = NodeNumber(try row.unsigned("parent", path))
        self.parent = parent.value == 0 ? nil : parent
        name = EntryName(row: row)
        inodeNumber = UInt64(bitPattern: row["inode"] as Int64)
        metadata = LocalMetadata()
        metadata.permissions = row["permissions"]
        metadata.uid = row["uid"]
        metadata.gid = row["gid"]
        metadata.modifiedNanoseconds = row["modified"]
        switch row["kind"] as Int {
        case NodeKindCode.directory: kind = .directory(try LowerDirectory(row: row, path))
        case NodeKindCode.file: kind = .file(try BaseFile(row: row, path))
        case NodeKindCode.link: kind = .link(target: [UInt8]((row["target"] as Data?) ?? Data()))
        default:
            throw WriteBackError.damaged(path: path.string, reason: "object of unknown kind")
        }
    }
}

extension LowerDirectory {
    fileprivate init(row: Row, _ path: FilePath) throws {
        self.init(redirect: row["redirect"])
        guard let hex = row["base_commit"] as String? else { return }
        guard let commit = CommitOID(hex: hex), let redirect else {
            throw WriteBackError.damaged(path: path.string, reason: "directory with half a base")
        }
        self = .commit(BaseDirectory(commit: commit, path: redirect))
    }
}

extension BaseFile {
    fileprivate convenience init?(row: Row, _ path: FilePath) throws {
        guard let commit = row["base_commit"] as String? else { return nil }
        guard let commit = CommitOID(hex: commit), let file = row["base_path"] as String?,
            row["base_size"] as Int64? != nil,
            let content = (row["base_content"] as String?).flatMap({ ContentID(hex: $0) })
        else {
            throw WriteBackError.damaged(path: path.string, reason: "file with half a base")
        }
        self.init(
            commit: commit, path: file, content: content,
            size: try row.unsigned("base_size", path))
    }
}

extension LayerRecord {
    fileprivate init(
        row: Row, _ path: FilePath, extents: [UInt64: ExtentMap], synced: [UInt64: ExtentMap]
    ) throws {
        number = try row.unsigned("number", path)
        node = NodeNumber(try row.unsigned("node", path))
        isSealed = row["is_sealed"]
        shape = LayerShape(
            size: try row.unsigned("size", path),
            lowerLimit: try row.unsigned("lower_limit", path),
            extents: extents[number] ?? ExtentMap())
        self.synced = nil
        if row["synced_size"] as Int64? != nil, row["synced_lower_limit"] as Int64? != nil {
            self.synced = LayerShape(
                size: try row.unsigned("synced_size", path),
                lowerLimit: try row.unsigned("synced_lower_limit", path),
                extents: synced[number] ?? ExtentMap())
        }
    }
}
