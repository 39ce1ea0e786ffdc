import FoundationEssentials
import HubClient

// A plan is written when a commit needs the most memory, and an encoder holds what it is given several
// times over. So the text of a plan is several JSON documents, a line each: the plan without what there
// can be tens of thousands of, and then all of that in pieces.

extension CommitPlan {
    /// Items of a list in one piece.
    static let pieceItemCountMax = 500

    /// Some of a plan's long lists.
    private struct Piece: Codable {
        var puts: [Put]?
        var files: [Settlement.File]?
    }

    func encoded() throws(WriteBackError) -> String {
        var text = ""
        // A text that is moved while it grows is there twice.
        text.reserveCapacity((puts.count + settlement.files.count) * Self.itemBytesEstimate)
        do {
            let encoder = JSONEncoder()
            try Self.add(with(puts: [], files: []), to: &text, encoder)
            for puts in Self.pieces(of: puts) {
                try Self.add(Piece(puts: puts), to: &text, encoder)
            }
            for files in Self.pieces(of: settlement.files) {
                try Self.add(Piece(files: files), to: &text, encoder)
            }
            // What is cut off before must not be read as a smaller plan.
            try Self.add(Piece(), to: &text, encoder)
        } catch {
            throw .journal("the plan cannot be written: \(error)")
        }
        return text
    }

    /// - Returns: nil when the text is no plan of this version.
    init?(encoded text: String) {
        let decoder = JSONDecoder()
        var lines = text.utf8.split(separator: UInt8(ascii: "\n")).makeIterator()
        guard let first = lines.next(),
            let plan = try? decoder.decode(Self.self, from: Data(first))
        else { return nil }
        var (puts, files) = (plan.puts, plan.settlement.files)
        while let line = lines.next() {
            guard let piece = try? decoder.decode(Piece.self, from: Data(line)) else { return nil }
            puts += piece.puts ?? []
            files += piece.files ?? []
            guard piece.puts == nil, piece.files == nil else { continue }
            self = plan.with(puts: puts, files: files)
            return
        }
        return nil
    }

    /// Bytes an item takes: two numbers, a content of LFS, and a path of some length.
    private static let itemBytesEstimate = 160

    private static func pieces<Item>(of items: [Item]) -> some Sequence<[Item]> {
        stride(from: 0, to: items.count, by: pieceItemCountMax).lazy.map { start in
            Array(items[start..<min(start + pieceItemCountMax, items.count)])
        }
    }

    private static func add(
        _ value: some Encodable, to text: inout String, _ encoder: JSONEncoder
    ) throws {
        text += String(decoding: try encoder.encode(value), as: UTF8.self)
        text += "\n"
    }

    private func with(puts: [Put], files: [Settlement.File]) -> CommitPlan {
        var plan = self
        plan.puts = puts
        plan.settlement.files = files
        return plan
    }
}
