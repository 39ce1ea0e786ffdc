import Platform

/// What is believed of a journal that another process wrote.
///
/// In the same run of the machine (same boot id) the page cache has every byte the journal speaks
/// of: all is believed. After a power cut, records can be on disk whose bytes never got there,
/// because some other fsync carried them: each file falls back to its last synced shape.
enum Recovery {
    /// Makes `contents` what may be believed, and the journal and the staging folder agree with it.
    ///
    /// - Returns: the paths that fell back.
    static func settle(
        _ contents: inout JournalContents, _ journal: Journal, _ staging: Staging
    ) throws(WriteBackError) -> [String] {
        try dropLayersOfNothing(&contents, journal)
        var fallenBack: [String] = []
        let current = BootID.current.hex
        if let stored = contents.bootID, stored != current {
            fallenBack = try fallBack(&contents, journal)
        }
        if contents.bootID != current {
            try journal.writeDurably { try $0.set(.bootID, current) }
            contents.bootID = current
        }
        try staging.removeOrphans(keeping: Set(contents.layers.map(\.number)))
        return fallenBack
    }

    /// A write that met the removal of its file can have left a layer behind.
    private static func dropLayersOfNothing(
        _ contents: inout JournalContents, _ journal: Journal
    ) throws(WriteBackError) {
        let nodes = Set(contents.nodes.map(\.number))
        let lost = contents.layers.filter { !nodes.contains($0.node) }
        guard !lost.isEmpty else { return }
        try journal.write { for layer in lost { try $0.removeLayer(layer.number) } }
        contents.layers.removeAll { !nodes.contains($0.node) }
    }

    private static func fallBack(
        _ contents: inout JournalContents, _ journal: Journal
    ) throws(WriteBackError) -> [String] {
        var dropped: Set<NodeNumber> = []
        var kept: [LayerRecord] = []
        var removed: [UInt64] = []
        for layer in contents.layers {
            guard layer.synced != layer.shape else {
                kept.append(layer)
                continue
            }
            dropped.insert(layer.node)
            guard let synced = layer.synced else {
                removed.append(layer.number)
                continue
            }
            var layer = layer
            layer.shape = synced
            kept.append(layer)
        }
        contents.layers = kept
        try journal.writeDurably { transaction in
            for number in removed { try transaction.removeLayer(number) }
            for layer in kept { try transaction.putWhole(layer) }
        }
        return contents.paths(of: dropped)
    }
}

extension JournalContents {
    /// Paths of nodes from the mounted directory, sorted, for messages.
    func paths(of numbers: Set<NodeNumber>) -> [String] {
        let byNumber = Dictionary(uniqueKeysWithValues: nodes.map { ($0.number, $0) })
        return numbers.compactMap { number -> String? in
            guard var node = byNumber[number] else { return nil }
            var names: [String] = []
            while let parent = node.parent {
                names.append(node.name.description)
                guard let above = byNumber[parent] else { return nil }
                node = above
            }
            return names.reversed().joined(separator: "/")
        }.sorted()
    }
}

extension BootID {
    /// 32 digits.
    var hex: String {
        bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
}
