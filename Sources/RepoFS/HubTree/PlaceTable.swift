import FuseBridge

/// The nodes of the tree's own directories and links that the kernel knows. Numbers are never given out
/// twice.
struct PlaceTable {
    private struct Row {
        let place: HubPlace
        var lookupCount: UInt64
    }

    private var rows: [UInt64: Row] = [NodeID.root.number: Row(place: .root, lookupCount: 1)]
    private var numbers: [HubPlace: UInt64] = [.root: NodeID.root.number]
    private var lastNumber = NodeID.root.number

    /// Nodes that the kernel knows, the root included.
    var count: Int { rows.count }

    /// - Returns: nil for a number that the kernel should not know any more.
    func place(_ node: NodeID) -> HubPlace? { rows[node.number]?.place }

    /// The node of a place if the kernel knows it.
    func node(_ place: HubPlace) -> NodeID? { numbers[place].map { NodeID($0) } }

    /// The node of a place, with its lookup count raised by one.
    mutating func lookUp(_ place: HubPlace) -> NodeID {
        if let number = numbers[place] {
            rows[number]?.lookupCount += 1
            return NodeID(number)
        }
        lastNumber += 1
        rows[lastNumber] = Row(place: place, lookupCount: 1)
        numbers[place] = lastNumber
        return NodeID(lastNumber)
    }

    mutating func forget(_ node: NodeID, count: UInt64) {
        guard node != .root, var row = rows[node.number] else { return }
        row.lookupCount -= min(count, row.lookupCount)
        rows[node.number] = row.lookupCount == 0 ? nil : row
        if row.lookupCount == 0 { numbers[row.place] = nil }
    }
}
