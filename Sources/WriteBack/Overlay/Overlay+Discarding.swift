import HubClient
import Platform

extension Overlay {
    /// Forgets every edit: the journal is that of a workspace without any. For a tree nobody uses any
    /// more: what the kernel knows of it is not told.
    func discardAll() throws(WriteBackError) {
        try tree.withLock { tree throws(WriteBackError) in
            let base = tree.baseCommit
            let numbers = tree.nodes.keys.filter { $0 != .root }
            let layers = tree.nodes.values.compactMap(\.file).flatMap(\.layerNumbers)
            let whiteouts = tree.root.directory!.whiteouts
            try journal.writeDurably { transaction in
                for number in numbers { try transaction.remove(number) }
                for layer in layers { try transaction.removeLayer(layer) }
                for name in whiteouts { try transaction.removeWhiteout(name, in: .root) }
                try transaction.set(.baseCommit, base.hex)
                try transaction.remove(.conflicts)
            }
            for file in tree.nodes.values.compactMap(\.file) { file.unlinked() }
            let root = tree.root
            root.directory!.children = [:]
            root.directory!.whiteouts = []
            tree.nodes = [.root: root]
            tree.keptNumbers = [:]
        }
    }
}
