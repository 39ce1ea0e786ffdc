/// A chunk or a node above some, by its hash and how many bytes of a file it stands for.
package struct MerkleNode: Hashable, Sendable {
    package let hash: XetHash
    package let byteCount: UInt64

    package init(_ hash: XetHash, byteCount: UInt64) {
        self.hash = hash
        self.byteCount = byteCount
    }
}

/// The tree over the chunks of a xorb or a file, whose root names them all.
///
/// Neighbours are grouped by two to nine; a group ends behind the third node or a later one whose hash
/// is divisible by four. So a change of one chunk leaves the groups elsewhere as they are. Source: the Xet
/// specification, hashing.
package enum MerkleTree {
    private static let groupCountMax = 9
    private static let divisor: UInt64 = 4

    /// The root over chunks in their order: the name of a xorb that has them, and what a file's hash
    /// is made of.
    package static func root(_ chunks: [MerkleNode]) -> XetHash {
        var level = chunks
        while level.count > 1 { level = parents(of: level[...]) }
        return level.first?.hash ?? .zero
    }

    /// The next level of a whole list.
    static func parents(of nodes: ArraySlice<MerkleNode>) -> [MerkleNode] {
        var parents: [MerkleNode] = []
        parents.reserveCapacity(nodes.count / 2)
        var rest = nodes
        while !rest.isEmpty {
            let group = rest.prefix(groupCount(rest))
            parents.append(parent(of: group))
            rest = rest.dropFirst(group.count)
        }
        return parents
    }

    /// How many of these nodes the first group has.
    private static func groupCount(_ nodes: ArraySlice<MerkleNode>) -> Int {
        if nodes.count <= 2 { return nodes.count }
        let countMax = min(groupCountMax, nodes.count)
        let end = (2..<countMax).first { isCut(nodes[nodes.startIndex + $0]) }
        return end.map { $0 + 1 } ?? countMax
    }

    /// Whether a group may end behind this node.
    static func isCut(_ node: MerkleNode) -> Bool { node.hash.modulo(divisor) == 0 }

    private static func parent(of group: ArraySlice<MerkleNode>) -> MerkleNode {
        var text: [UInt8] = []
        for node in group { text += "\(node.hash.text) : \(node.byteCount)\n".utf8 }
        return MerkleNode(
            XetHash(ofNode: text), byteCount: group.reduce(0) { $0 + $1.byteCount })
    }
}
