extension MerkleSubtree: Codable {
    private enum CodingKeys: String, CodingKey {
        case nodes, levels
        case isAtStart = "at_start"
        case isAtEnd = "at_end"
    }

    /// The most levels a tree of any file has: each node of a higher one stands for two or more.
    private static let levelCountMax = 64

    /// Reads the form that the CAS answers in.
    ///
    /// - Throws: `DecodingError`, or `XetFormatError` when the numbers do not fit each other.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let nodes = try container.decode([MerkleNode].self, forKey: .nodes)
        let counts = try container.decode([[Int]].self, forKey: .levels)
        guard counts.count <= Self.levelCountMax,
            counts.allSatisfy({ $0.count == 2 && $0.allSatisfy { 0...nodes.count ~= $0 } }),
            counts.joined().reduce(0, +) == nodes.count
        else { throw XetFormatError.contradiction("levels of a tree that do not fit its nodes") }
        var levels: [Level] = []
        var (front, back) = (0, nodes.count)
        for count in counts {
            let (left, right) = (front + count[0], back - count[1])
            levels.append(
                Level(left: Array(nodes[front..<left]), right: Array(nodes[right..<back])))
            (front, back) = (left, right)
        }
        try self.init(
            levels: levels,
            isAtStart: container.decode(Bool.self, forKey: .isAtStart),
            isAtEnd: container.decode(Bool.self, forKey: .isAtEnd))
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(
            levels.flatMap(\.left) + levels.reversed().flatMap(\.right), forKey: .nodes)
        try container.encode(
            levels.map { [$0.left.count, $0.right.count] }, forKey: .levels)
        try container.encode(isAtStart, forKey: .isAtStart)
        try container.encode(isAtEnd, forKey: .isAtEnd)
    }
}

extension MerkleNode: Codable {
    private enum CodingKeys: String, CodingKey {
        case hash
        case byteCount = "size"
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let text = try container.decode(String.self, forKey: .hash)
        guard let hash = XetHash(text: text) else {
            throw XetFormatError.contradiction("\(text) is no hash")
        }
        self.init(hash, byteCount: try container.decode(UInt64.self, forKey: .byteCount))
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(hash.text, forKey: .hash)
        try container.encode(byteCount, forKey: .byteCount)
    }
}
