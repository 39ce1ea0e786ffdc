import Foundation
import GRDB
import XetCodec

/// What deduplication goes by.
extension Registry {
    /// The xorbs that files of a repo are made of.
    func xorbs(in repo: RepoRecord) throws -> [(hash: XetHash, index: XorbIndex)] {
        let files = try pool.read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT DISTINCT xetFile.hash, xetFile.terms FROM xetFile
                    JOIN xetObject ON xetObject.hash = xetFile.hash WHERE xetObject.repo = ?
                    ORDER BY xetFile.hash
                    """, arguments: [repo.id])
        }
        var names: [XetHash] = []
        var seen: Set<XetHash> = []
        for row in files {
            let terms = XetFile(hash: .zero, encodedTerms: row["terms"]).terms
            for term in terms where seen.insert(term.xorb).inserted { names.append(term.xorb) }
        }
        return try names.compactMap { name in try xorb(name).map { (name, $0) } }
    }
}
