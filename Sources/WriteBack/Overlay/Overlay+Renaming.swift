import Platform
import SystemPackage

extension Overlay {
    /// How a name that is taken is treated. Source: man 2 rename.
    package enum RenameMode: Sendable {
        case replace
        /// RENAME_NOREPLACE.
        case noReplace
        /// RENAME_EXCHANGE.
        case exchange
    }

    /// One end of a rename.
    package struct Place: Sendable {
        package let parent: NodeNumber
        package let name: EntryName

        package init(parent: NodeNumber, name: EntryName) {
            self.parent = parent
            self.name = name
        }
    }

    /// Moves an object to another name or directory: one step, whatever its size.
    ///
    /// Before a file replaces another its bytes are put on disk, so that after a power cut the name
    /// shows the whole old file or the whole new one.
    package func rename(
        from source: Place, to target: Place, _ mode: RenameMode
    ) throws(WriteBackError) {
        try Self.check(target.name)
        let synced = try syncBeforeReplacing(source, target)
        try tree.withLock { tree throws(WriteBackError) in
            let move = try check(source, target, mode, &tree)
            guard let move else { return }
            switch mode {
            case .exchange: try exchange(move, &tree)
            case .replace, .noReplace:
                try apply(move, synced, &tree)
            }
            tree.changeCount += 1
        }
        if let synced, !synced.isCurrent { try synced.file.sync() }
        try staging.settleDiscarded()
    }

    /// A rename whose ends were found and fit.
    private struct Move {
        let node: OverlayNode
        let oldParent: OverlayNode
        let newParent: OverlayNode
        let newName: EntryName
        /// What has the new name now.
        let replaced: OverlayNode?
    }

    /// - Returns: nil when both ends are the same object, which succeeds and does nothing.
    private func check(
        _ source: Place, _ target: Place, _ mode: RenameMode, _ tree: inout Tree
    ) throws(WriteBackError) -> Move? {
        let oldParent = try tree.directory(source.parent)
        let newParent = try tree.directory(target.parent)
        guard newParent.isLinked else { throw refuse(.noSuchFileOrDirectory) }
        _ = try listed(oldParent)
        _ = try listed(newParent)
        guard let node = try child(source.name, of: oldParent, &tree) else {
            throw refuse(.noSuchFileOrDirectory)
        }
        let replaced = try child(target.name, of: newParent, &tree)
        if replaced === node { return nil }
        guard !newParent.isInside(node) else { throw refuse(.invalidArgument) }
        switch mode {
        case .noReplace:
            guard replaced == nil else { throw refuse(.fileExists) }
        case .exchange:
            guard let replaced else { throw refuse(.noSuchFileOrDirectory) }
            guard !oldParent.isInside(replaced) else { throw refuse(.invalidArgument) }
        case .replace:
            guard let replaced else { break }
            if node.directory == nil {
                guard replaced.directory == nil else { throw refuse(.isDirectory) }
            } else {
                try checkEmpty(replaced)
            }
        }
        return Move(
            node: node, oldParent: oldParent, newParent: newParent, newName: target.name,
            replaced: replaced)
    }

    private func apply(
        _ move: Move, _ synced: UnsyncedFile?, _ tree: inout Tree
    ) throws(WriteBackError) {
        let (node, oldName) = (move.node, move.node.name)
        let oldDirectory = move.oldParent.directory!
        let newDirectory = move.newParent.directory!
        let hidesOld = oldDirectory.baseHas(oldName) && !oldDirectory.whiteouts.contains(oldName)
        let hidesNew =
            newDirectory.baseHas(move.newName) && !newDirectory.whiteouts.contains(move.newName)
        let missing = unrecorded(upFrom: move.oldParent) + unrecorded(upFrom: move.newParent)
        let now = wallClockNanoseconds()
        var record = node.record
        record.parent = move.newParent.number
        record.name = move.newName
        let replacedLayers = move.replaced?.file?.layerNumbers ?? []
        try journal.write { transaction in
            for node in missing { try transaction.put(node.record) }
            if let replaced = move.replaced, replaced.isRecorded {
                try transaction.remove(replaced.number)
            }
            for layer in replacedLayers { try transaction.removeLayer(layer) }
            try synced?.record(transaction)
            if hidesOld { try transaction.putWhiteout(oldName, in: move.oldParent.number) }
            if hidesNew { try transaction.putWhiteout(move.newName, in: move.newParent.number) }
            try transaction.put(record)
            try transaction.setModified(now, of: move.oldParent.number)
            try transaction.setModified(now, of: move.newParent.number)
        }
        if let synced, synced.isCurrent { synced.file.noteSynced(synced.layers) }
        for node in missing { node.isRecorded = true }
        if hidesOld { oldDirectory.whiteouts.insert(oldName) }
        if hidesNew { newDirectory.whiteouts.insert(move.newName) }
        if let replaced = move.replaced { detach(replaced, from: newDirectory, &tree) }
        oldDirectory.children[oldName] = nil
        newDirectory.children[move.newName] = node
        node.name = move.newName
        node.parent = move.newParent
        node.isRecorded = true
        keepNumber(of: node, &tree)
        move.oldParent.metadata.modifiedNanoseconds = now
        move.newParent.metadata.modifiedNanoseconds = now
        if move.oldParent !== move.newParent { tree.free(from: move.oldParent) }
    }

    private func exchange(_ move: Move, _ tree: inout Tree) throws(WriteBackError) {
        let (first, second) = (move.node, move.replaced!)
        let (firstName, secondName) = (first.name, second.name)
        let firstDirectory = move.oldParent.directory!
        let secondDirectory = move.newParent.directory!
        let missing = unrecorded(upFrom: move.oldParent) + unrecorded(upFrom: move.newParent)
        let now = wallClockNanoseconds()
        var firstRecord = first.record
        (firstRecord.parent, firstRecord.name) = (move.newParent.number, secondName)
        var secondRecord = second.record
        (secondRecord.parent, secondRecord.name) = (move.oldParent.number, firstName)
        try journal.write { transaction in
            for node in missing { try transaction.put(node.record) }
            // Both rows leave first: no two may have the same name.
            try transaction.removeNodeRow(first.number)
            try transaction.removeNodeRow(second.number)
            try transaction.put(firstRecord)
            try transaction.put(secondRecord)
            if firstDirectory.baseHas(firstName) {
                try transaction.putWhiteout(firstName, in: move.oldParent.number)
            }
            if secondDirectory.baseHas(secondName) {
                try transaction.putWhiteout(secondName, in: move.newParent.number)
            }
            try transaction.setModified(now, of: move.oldParent.number)
            try transaction.setModified(now, of: move.newParent.number)
        }
        for node in missing + [first, second] { node.isRecorded = true }
        if firstDirectory.baseHas(firstName) { firstDirectory.whiteouts.insert(firstName) }
        if secondDirectory.baseHas(secondName) { secondDirectory.whiteouts.insert(secondName) }
        firstDirectory.children[firstName] = second
        secondDirectory.children[secondName] = first
        (first.parent, first.name) = (move.newParent, secondName)
        (second.parent, second.name) = (move.oldParent, firstName)
        for node in [first, second] { keepNumber(of: node, &tree) }
        move.oldParent.metadata.modifiedNanoseconds = now
        move.newParent.metadata.modifiedNanoseconds = now
    }

    /// Puts the bytes of a file on disk that is about to replace another. Outside of the tree's
    /// lock: it waits for the disk.
    private func syncBeforeReplacing(
        _ source: Place, _ target: Place
    ) throws(WriteBackError) -> UnsyncedFile? {
        let file = try tree.withLock { tree throws(WriteBackError) -> WorkingFile? in
            let oldParent = try tree.directory(source.parent)
            let newParent = try tree.directory(target.parent)
            guard let node = try child(source.name, of: oldParent, &tree), let file = node.file,
                let replaced = try child(target.name, of: newParent, &tree), replaced !== node
            else { return nil }
            return file
        }
        return try file?.syncBytes()
    }
}
