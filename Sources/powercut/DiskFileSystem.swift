import FuseBridge
import Glibc
import Platform
import SystemPackage

/// Lets the kernel mount a `Disk`, until its power is cut.
final class DiskFileSystem: FileSystem {
    private struct State {
        var disk: Disk
        var chance: Chance
        /// Changes and syncs until the power goes by itself; nil: it does not.
        var changesLeft: Int?
        /// What is left, once the power has gone.
        var survivor: Disk?
    }

    private let state: Monitor<State>

    /// - Parameter seed: Decides what a cut leaves.
    init(_ disk: Disk, seed: UInt64) {
        state = Monitor(State(disk: disk, chance: Chance(seed: seed)))
    }

    /// Lets the power go in place of the change or sync that comes after so many; nil: it stays.
    func setChangesLeft(_ count: Int?) { state.update { $0.changesLeft = count } }

    /// Cuts the power: nothing reaches the disk any more, and every request answers EIO.
    func cut() {
        state.update { state in Self.cut(&state) }
    }

    private static func cut(_ state: inout State) {
        guard state.survivor == nil else { return }
        state.survivor = state.disk.survivor(using: &state.chance)
    }

    /// Waits for the cut.
    func waitForCut() { state.wait { $0.survivor == nil ? nil : () } }

    /// What a new mount begins with: what the cut left, or everything if there was none.
    var remains: Disk { state.update { $0.survivor ?? $0.disk } }

    /// Answers what changes nothing.
    func look<Value>(_ body: (Disk) throws(Errno) -> Value) throws(Errno) -> Value {
        try state.update { state throws(Errno) in
            guard state.survivor == nil else { throw .ioError }
            return try body(state.disk)
        }
    }

    /// Makes a change, or puts one on disk.
    func change<Value>(_ body: (inout Disk) throws(Errno) -> Value) throws(Errno) -> Value {
        try state.update { state throws(Errno) in
            if let left = state.changesLeft {
                if left == 0 { Self.cut(&state) }
                state.changesLeft = left - 1
            }
            guard state.survivor == nil else { throw .ioError }
            return try body(&state.disk)
        }
    }

    // MARK: FileSystem

    func lookup(
        _ name: FileName, in parent: NodeID, _ reply: consuming Reply<RequestKind.Lookup>
    ) {
        do throws(Errno) {
            let entry = try look { (disk) throws(Errno) in
                try disk.directory(parent).entries[name].map { child throws(Errno) in
                    try disk.entry(child)
                }
            }
            if let entry { reply.entry(entry) } else { reply.absent(.forever) }
        } catch {
            reply.fail(error)
        }
    }

    /// Nodes are kept to the end.
    func forget(_ node: NodeID, count: UInt64) {}

    func attributes(of node: NodeID, _ reply: consuming Reply<RequestKind.Attributes>) {
        do throws(Errno) {
            reply.attributes(
                try look { (disk) throws(Errno) in try disk.node(node).attributes }, .forever)
        } catch {
            reply.fail(error)
        }
    }

    func open(_ node: NodeID, flags: Int32, _ reply: consuming Reply<RequestKind.Open>) {
        do throws(Errno) {
            if flags & O_TRUNC != 0 {
                try change { (disk) throws(Errno) in try disk.resize(node, to: 0) }
            }
            reply.opened(HandleID(node.number), keepsCache: true)
        } catch {
            reply.fail(error)
        }
    }

    func read(
        _ node: NodeID, _ handle: HandleID, offset: UInt64, count: Int,
        _ reply: consuming Reply<RequestKind.Data>
    ) {
        let bytes: [UInt8]
        do throws(Errno) {
            bytes = try look { (disk) throws(Errno) in
                Array(try disk.file(node).bytes.dropFirst(Int(offset)).prefix(count))
            }
        } catch {
            return reply.fail(error)
        }
        var answer = Optional(reply)
        bytes.withUnsafeBytes { answer.take()!.bytes($0) }
    }

    /// A handle is its node's number: it holds nothing.
    func release(_ handle: HandleID) {}

    func openDirectory(_ node: NodeID, _ reply: consuming Reply<RequestKind.OpenDirectory>) {
        reply.opened(HandleID(node.number), keepsCache: false)
    }

    func readDirectory(
        _ node: NodeID, _ handle: HandleID, offset: UInt64, into buffer: consuming DirectoryBuffer,
        _ reply: consuming Reply<RequestKind.Data>
    ) {
        do throws(Errno) {
            let children = try look { (disk) throws(Errno) in
                try disk.directory(node).entries
                    .sorted { $0.key.bytes.lexicographicallyPrecedes($1.key.bytes) }
                    .map { (name: $0.key, attributes: disk.nodes[$0.value]!.attributes) }
            }
            for (index, child) in children.enumerated().dropFirst(Int(offset)) {
                let fits = buffer.add(
                    child.name.bytes.map { CChar(bitPattern: $0) } + [0],
                    inodeNumber: child.attributes.inodeNumber, kind: child.attributes.kind,
                    nextOffset: UInt64(index) + 1)
                guard fits else { break }
            }
            reply.entries(buffer.bytes)
        } catch {
            reply.fail(error)
        }
    }

    func releaseDirectory(_ handle: HandleID) {}

    func readLink(_ node: NodeID, _ reply: consuming Reply<RequestKind.Link>) {
        reply.fail(.invalidArgument)
    }

    func statistics(_ reply: consuming Reply<RequestKind.Statistics>) {
        let blocks = UInt64(Disk.writtenBytesMax) / 4096
        reply.statistics(
            FileSystemStatistics(
                blockBytes: 4096, blockCount: blocks, freeBlockCount: blocks, fileCount: 1))
    }

    func extendedAttribute(
        _ name: FileName, of node: NodeID, capacity: Int,
        _ reply: consuming Reply<RequestKind.ExtendedAttribute>
    ) {
        reply.fail(.notSupported)
    }

    func extendedAttributeNames(
        of node: NodeID, capacity: Int, _ reply: consuming Reply<RequestKind.ExtendedAttribute>
    ) {
        reply.fail(.notSupported)
    }

    func seek(
        _ node: NodeID, _ handle: HandleID, offset: UInt64, to target: SeekTarget,
        _ reply: consuming Reply<RequestKind.Seek>
    ) {
        do throws(Errno) {
            let size = try look { (disk) throws(Errno) in UInt64(try disk.file(node).bytes.count) }
            guard offset < size else { return reply.fail(.noSuchAddressOrDevice) }
            reply.offset(target == .data ? offset : size)
        } catch {
            reply.fail(error)
        }
    }
}
