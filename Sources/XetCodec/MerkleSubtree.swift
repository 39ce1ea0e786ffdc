/// The part of a file's tree over some chunks next to each other: what can be known of it without the
/// chunks before and behind.
///
/// Whoever changes the middle of a file has the trees of what stays from the server, makes those of what
/// is new, and joins them in the order of the file to its new root. No stretch that stays is read for it.
///
/// A node can be formed when a group begins at its first child whatever comes before. That is known
/// behind the second of three neighbouring cuts that are three to seven nodes apart: no group of at most
/// nine nodes can reach over both. What lies before the first such place of a level stays open to the
/// left, what lies behind the last one stays open to the right. Source: xet-core, delta uploads.
package struct MerkleSubtree: Hashable, Sendable {
    /// Of one height: what waits for nodes before it, and what waits for nodes behind it. The nodes in
    /// between are parts of higher ones.
    struct Level: Hashable, Sendable {
        var left: [MerkleNode]
        var right: [MerkleNode]

        var isEmpty: Bool { left.isEmpty && right.isEmpty }
    }

    /// From the chunks upwards. The highest is not empty.
    let levels: [Level]
    /// Nothing comes before.
    package let isAtStart: Bool
    /// Nothing comes behind.
    package let isAtEnd: Bool
    /// How many bytes of a file it stands for.
    package let byteCount: UInt64

    /// More than any file has, and few enough that sums of two are numbers.
    private static let byteCountMax = UInt64(Int64.max)

    /// The tree over chunks in their order.
    package init(of chunks: [MerkleNode], isAtStart: Bool, isAtEnd: Bool) {
        var builder = Builder(isAtStart: isAtStart, isAtEnd: isAtEnd)
        var nodes = chunks
        repeat { nodes = builder.addLevel(of: nodes) } while !nodes.isEmpty
        self.init(builder, byteCount: chunks.reduce(0) { $0 + $1.byteCount })
    }

    private init(_ builder: Builder, byteCount: UInt64) {
        levels = Self.filled(builder.levels)
        (isAtStart, isAtEnd) = (builder.isAtStart, builder.isAtEnd)
        self.byteCount = byteCount
    }

    /// Puts together what was read.
    ///
    /// - Throws: `XetFormatError.contradiction` when there is more than a file can have.
    init(levels: [Level], isAtStart: Bool, isAtEnd: Bool) throws(XetFormatError) {
        var byteCount: UInt64 = 0
        for node in levels.flatMap({ $0.left + $0.right }) {
            byteCount = try Self.sum(byteCount, node.byteCount)
        }
        self.levels = Self.filled(levels)
        (self.isAtStart, self.isAtEnd) = (isAtStart, isAtEnd)
        self.byteCount = byteCount
    }

    /// Without higher levels that hold nothing.
    private static func filled(_ levels: [Level]) -> [Level] {
        Array(levels.prefix((levels.lastIndex { !$0.isEmpty } ?? -1) + 1))
    }

    private static func sum(_ left: UInt64, _ right: UInt64) throws(XetFormatError) -> UInt64 {
        guard left <= byteCountMax, right <= byteCountMax - left else {
            throw .contradiction("a tree over more bytes than a file can have")
        }
        return left + right
    }

    /// The tree over what this one has and what the next one has.
    ///
    /// - Throws: `XetFormatError.contradiction` when one of them says that it has no neighbour there.
    package func joined(with next: MerkleSubtree) throws(XetFormatError) -> MerkleSubtree {
        guard !isAtEnd, !next.isAtStart else {
            throw .contradiction("a tree behind the end of a file, or before its start")
        }
        var builder = Builder(isAtStart: isAtStart, isAtEnd: next.isAtEnd)
        var promoted: [MerkleNode] = []
        let height = max(levels.count, next.levels.count)
        let none = Level(left: [], right: [])
        for index in 0..<height {
            let before = index < levels.count ? levels[index] : none
            let behind = index < next.levels.count ? next.levels[index] : none
            promoted = builder.split(
                before.left + before.right + promoted + behind.left + behind.right)
        }
        while !promoted.isEmpty { promoted = builder.addLevel(of: promoted) }
        return MerkleSubtree(builder, byteCount: try Self.sum(byteCount, next.byteCount))
    }

    /// The root of a whole file's tree.
    ///
    /// - Throws: `XetFormatError.contradiction` when it is not whole.
    package func root() throws(XetFormatError) -> XetHash {
        guard isAtStart, isAtEnd else { throw .contradiction("a tree of a part of a file") }
        guard let top = levels.last else { return .zero }
        guard top.right.isEmpty, top.left.count == 1, levels.dropLast().allSatisfy(\.isEmpty)
        else { throw .contradiction("a tree whose parts do not fit") }
        return top.left[0].hash
    }

    /// The levels of a tree while they are found, from the chunks upwards.
    private struct Builder {
        let isAtStart: Bool
        let isAtEnd: Bool
        private(set) var levels: [Level] = []

        init(isAtStart: Bool, isAtEnd: Bool) {
            (self.isAtStart, self.isAtEnd) = (isAtStart, isAtEnd)
        }

        /// One level more.
        ///
        /// - Returns: the nodes of the next one; none when there is no more.
        mutating func addLevel(of nodes: [MerkleNode]) -> [MerkleNode] {
            guard nodes.count > 1 else {
                levels.append(Level(left: nodes, right: []))
                return []
            }
            return split(nodes)
        }

        /// One level more, of which groups are formed where it is known where they begin and end.
        ///
        /// - Returns: their parents.
        mutating func split(_ nodes: [MerkleNode]) -> [MerkleNode] {
            // What is open below has its parents, which nobody knows yet, before the first one here.
            let isFirst = isAtStart && levels.allSatisfy(\.left.isEmpty)
            let isLast = isAtEnd && levels.allSatisfy(\.right.isEmpty)
            let start = isFirst ? 0 : Self.borders(in: nodes[...]).first
            let end =
                isLast ? nodes.count : start.flatMap { Self.borders(in: nodes[$0...]).last }
            guard nodes.count > 1, let start, let end, start < end else {
                levels.append(Level(left: nodes, right: []))
                return []
            }
            levels.append(Level(left: Array(nodes[..<start]), right: Array(nodes[end...])))
            return MerkleTree.parents(of: nodes[start..<end])
        }

        /// Where groups begin whatever comes before these nodes: behind the middle one of three
        /// neighbouring cuts.
        private static func borders(in nodes: ArraySlice<MerkleNode>) -> [Int] {
            let cuts = nodes.indices.filter { MerkleTree.isCut(nodes[$0]) }
            let distances = 3...7
            return zip(cuts, zip(cuts.dropFirst(), cuts.dropFirst(2))).compactMap { first, others in
                let (second, third) = others
                guard distances.contains(second - first), distances.contains(third - second)
                else { return nil }
                return second + 1
            }
        }
    }
}
