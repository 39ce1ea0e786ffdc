import Crypto
import Foundation
import GRDB

/// The Hub's database: repos, tokens, grants and settings.
///
/// Several processes may have it open (a server and an import); SQLite's WAL keeps them apart.
/// Locks: SQLite's own; every call blocks for the time of one query.
package final class Registry: Sendable {
    let pool: DatabasePool

    init(path: String) throws {
        var configuration = Configuration()
        configuration.busyMode = .timeout(10)
        configuration.foreignKeysEnabled = true
        pool = try DatabasePool(path: path, configuration: configuration)
        try Schema.migrator.migrate(pool)
    }

    // MARK: Repos

    /// The repo of that name in any letter case.
    package func repo(_ kind: RepoKind, _ name: RepoName) throws -> RepoRecord? {
        try pool.read { database in
            try Row.fetchOne(
                database,
                sql: "SELECT * FROM repo WHERE kind = ? AND namespace = ? AND name = ?",
                arguments: [kind.rawValue, name.namespace, name.name]
            ).flatMap(RepoRecord.init(row:))
        }
    }

    /// The repo whatever it is called now.
    func repo(id: String) throws -> RepoRecord? {
        try pool.read { database in
            try Row.fetchOne(database, sql: "SELECT * FROM repo WHERE id = ?", arguments: [id])
                .flatMap(RepoRecord.init(row:))
        }
    }

    /// The repo a one-segment or former id leads to: an alias, else the only repo so named.
    func repo(_ kind: RepoKind, alias: String) throws -> RepoRecord? {
        try pool.read { database in
            if let row = try Row.fetchOne(
                database,
                sql: """
                    SELECT repo.* FROM repo JOIN alias ON alias.repo = repo.id
                    WHERE alias.kind = ? AND alias.old = ?
                    """,
                arguments: [kind.rawValue, alias])
            {
                return RepoRecord(row: row)
            }
            let rows = try Row.fetchAll(
                database, sql: "SELECT * FROM repo WHERE kind = ? AND name = ? LIMIT 2",
                arguments: [kind.rawValue, alias])
            return rows.count == 1 ? RepoRecord(row: rows[0]) : nil
        }
    }

    /// Repos in order of their names.
    func repos(_ kind: RepoKind, author: String?, search: String?) throws -> [RepoRecord] {
        try pool.read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT * FROM repo WHERE kind = :kind
                    AND (:author IS NULL OR namespace = :author)
                    AND (:search IS NULL OR instr(lower(namespace || '/' || name), lower(:search)))
                    ORDER BY namespace, name
                    """,
                arguments: ["kind": kind.rawValue, "author": author, "search": search]
            ).compactMap(RepoRecord.init(row:))
        }
    }

    /// Adds a row; the caller has made the git repository.
    func insert(_ kind: RepoKind, _ name: RepoName, options: RepoOptions) throws {
        let id = (0..<12).map { _ in hex(UInt8.random(in: 0...255)) }.joined()
        try pool.write { database in
            try database.execute(
                sql: "INSERT INTO repo VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?)",
                arguments: [
                    id, kind.rawValue, name.namespace, name.name, options.isPrivate,
                    options.gate?.rawValue, options.sdk, Date().timeIntervalSince1970,
                ])
        }
    }

    func delete(_ repo: RepoRecord) throws {
        try pool.write { database in
            try database.execute(sql: "DELETE FROM repo WHERE id = ?", arguments: [repo.id])
        }
    }

    /// Changes what is given and leaves the rest. `gate` is doubly optional: `.some(nil)` opens it.
    package func update(
        _ repo: RepoRecord, isPrivate: Bool? = nil, gate: Gate?? = nil, isDisabled: Bool? = nil
    ) throws {
        try pool.write { database in
            try database.execute(
                sql: "UPDATE repo SET private = ?, gated = ?, disabled = ? WHERE id = ?",
                arguments: [
                    isPrivate ?? repo.isPrivate, (gate ?? repo.gate)?.rawValue,
                    isDisabled ?? repo.isDisabled, repo.id,
                ])
        }
    }

    /// Makes `old` (a one-segment id, or `ns/name`) redirect to the repo.
    package func addAlias(_ old: String, for repo: RepoRecord) throws {
        try pool.write { database in
            try database.execute(
                sql: "INSERT OR REPLACE INTO alias VALUES (?, ?, ?)",
                arguments: [repo.kind.rawValue, old, repo.id])
        }
    }

    /// Gives the repo another name; the old one leads to it from then on.
    ///
    /// - Parameter body: moves the repository's folder. The name changes only if it succeeds.
    func rename(_ repo: RepoRecord, to name: RepoName, moving body: () throws -> Void) throws {
        try pool.write { database in
            try database.execute(
                sql: "INSERT OR REPLACE INTO alias VALUES (?, ?, ?)",
                arguments: [repo.kind.rawValue, repo.name.description, repo.id])
            try database.execute(
                sql: "DELETE FROM alias WHERE kind = ? AND old = ?",
                arguments: [repo.kind.rawValue, name.description])
            try database.execute(
                sql: "UPDATE repo SET namespace = ?, name = ? WHERE id = ?",
                arguments: [name.namespace, name.name, repo.id])
            try body()
        }
    }

    // MARK: Rewritten histories

    /// Makes commits unknown, whatever git says.
    func forget(_ commits: [String], of repo: RepoRecord) throws {
        try pool.write { database in
            for oid in commits {
                try database.execute(
                    sql: "INSERT OR IGNORE INTO forgotten VALUES (?, ?)",
                    arguments: [repo.id, oid])
            }
        }
    }

    func isForgotten(_ commit: String, of repo: RepoRecord) throws -> Bool {
        try pool.read { database in
            try Bool.fetchOne(
                database,
                sql: "SELECT EXISTS (SELECT 1 FROM forgotten WHERE repo = ? AND oid = ?)",
                arguments: [repo.id, commit]) ?? false
        }
    }

    // MARK: Access to gated repos

    package func grantAccess(to repo: RepoRecord, user: String) throws {
        try pool.write { database in
            try database.execute(
                sql: "INSERT OR IGNORE INTO access VALUES (?, ?)", arguments: [repo.id, user])
        }
    }

    package func revokeAccess(to repo: RepoRecord, user: String) throws {
        try pool.write { database in
            try database.execute(
                sql: "DELETE FROM access WHERE repo = ? AND user = ?", arguments: [repo.id, user])
        }
    }

    func hasAccess(to repo: RepoRecord, user: String) throws -> Bool {
        try pool.read { database in
            try Bool.fetchOne(
                database,
                sql: "SELECT EXISTS (SELECT 1 FROM access WHERE repo = ? AND user = ?)",
                arguments: [repo.id, user]) ?? false
        }
    }

    // MARK: Tokens

    /// Makes a token and returns it; only its digest is kept.
    ///
    /// - Parameter namespaces: where the token has rights besides `user`; nil is everywhere.
    package func createToken(
        name: String, user: String, role: TokenRole, namespaces: [String]?
    ) throws -> String {
        let alphabet = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
        var random = SystemRandomNumberGenerator()
        let secret = (0..<34).map { _ in alphabet.randomElement(using: &random) ?? "x" }
        let token = "hf_" + String(secret)
        try pool.write { database in
            try database.execute(
                sql: "INSERT INTO token VALUES (?, ?, ?, ?, ?, ?)",
                arguments: [
                    Self.digest(token), name, user, role.rawValue,
                    namespaces?.joined(separator: ","), Date().timeIntervalSince1970,
                ])
        }
        return token
    }

    package func tokens() throws -> [TokenRecord] {
        try pool.read { database in
            try Row.fetchAll(database, sql: "SELECT * FROM token ORDER BY name")
                .compactMap(TokenRecord.init(row:))
        }
    }

    /// - Returns: whether there was a token so named.
    package func deleteToken(name: String) throws -> Bool {
        try pool.write { database in
            try database.execute(sql: "DELETE FROM token WHERE name = ?", arguments: [name])
            return database.changesCount > 0
        }
    }

    func token(_ secret: String) throws -> TokenRecord? {
        try pool.read { database in
            try Row.fetchOne(
                database, sql: "SELECT * FROM token WHERE digest = ?",
                arguments: [Self.digest(secret)]
            ).flatMap(TokenRecord.init(row:))
        }
    }

    private static func digest(_ token: String) -> String {
        hex(SHA256.hash(data: Data(token.utf8)))
    }

    // MARK: Settings

    /// The key that signs URLs, made at first use, so that URLs outlive a restart.
    func urlKey() throws -> String {
        try pool.write { database in
            let fresh = (0..<32).map { _ in hex(UInt8.random(in: 0...255)) }.joined()
            try database.execute(
                sql: "INSERT OR IGNORE INTO setting VALUES ('urlKey', ?)", arguments: [fresh])
            return try String.fetchOne(
                database, sql: "SELECT value FROM setting WHERE name = 'urlKey'") ?? fresh
        }
    }
}

/// What may be said about a repo when it is made.
package struct RepoOptions: Sendable {
    package var isPrivate: Bool
    package var gate: Gate?
    package var sdk: String?

    package init(isPrivate: Bool = false, gate: Gate? = nil, sdk: String? = nil) {
        self.isPrivate = isPrivate
        self.gate = gate
        self.sdk = sdk
    }
}
