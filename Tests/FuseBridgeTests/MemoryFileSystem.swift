import FuseBridge
import Glibc
import Platform
import SystemPackage

/// A file system in memory that writes down what the kernel asks of it.
///
/// It answers everything for ever cacheable, so what the kernel asks again is what it distrusts.
final class MemoryFileSystem: FileSystem {
    struct State {
        var tree = MemoryTree()
        /// "operation, label of the node, arguments", in the order of arrival.
        var calls: [String] = []
        /// What the next call of an operation ends with.
        var failures: [String: Errno] = [:]
        /// Open files and directories.
        var handles: [HandleID: NodeID] = [:]
        private var nextHandle: UInt64 = 1

        mutating func open(_ node: NodeID) -> HandleID {
            defer { nextHandle += 1 }
            handles[HandleID(nextHandle)] = node
            return HandleID(nextHandle)
        }
    }

    private let state = Guarded(State())
    private let cachesListings: Bool
    private let offersEntries: Bool

    /// - Parameters:
    ///   - cachesListings: Lets the kernel keep what it has listed.
    ///   - offersEntries: Lets a readdirplus bring nodes along with names.
    init(cachesListings: Bool = false, offersEntries: Bool = true) {
        self.cachesListings = cachesListings
        self.offersEntries = offersEntries
    }

    // MARK: For the tests

    /// What has been asked so far, of these operations only.
    func calls(_ operations: String...) -> [String] {
        state.withLock { $0.calls }.filter { call in
            operations.contains { call.hasPrefix($0 + " ") }
        }
    }

    func fail(next operation: String, with error: Errno) {
        state.withLock { $0.failures[operation] = error }
    }

    /// Changes or reads the tree without the kernel's knowing.
    func withTree<Result>(_ body: (inout MemoryTree) throws -> Result) rethrows -> Result {
        try state.withLock { try body(&$0.tree) }
    }

    /// Writes down a call, fails it if a test wants that, and does it.
    func perform<Value>(
        _ operation: String, _ node: NodeID, _ arguments: String,
        _ body: (inout State) throws(Errno) -> Value
    ) throws(Errno) -> Value {
        try state.withLock { state throws(Errno) in
            let label = try state.tree.node(node).label
            state.calls.append("\(operation) \(label)" + (arguments.isEmpty ? "" : " \(arguments)"))
            if let error = state.failures.removeValue(forKey: operation) { throw error }
            return try body(&state)
        }
    }

    // MARK: FileSystem

    func lookup(
        _ name: FileName, in parent: NodeID, _ reply: consuming Reply<RequestKind.Lookup>
    ) {
        do throws(Errno) {
            let entry = try perform("lookup", parent, "\(name)") { state throws(Errno) in
                try state.tree.node(parent).children[name].map { child throws(Errno) in
                    try state.tree.entry(child)
                }
            }
            if let entry { reply.entry(entry) } else { reply.absent(.forever) }
        } catch {
            reply.fail(error)
        }
    }

    /// Nodes are kept to the end of the test.
    func forget(_ node: NodeID, count: UInt64) {}

    func attributes(of node: NodeID, _ reply: consuming Reply<RequestKind.Attributes>) {
        do throws(Errno) {
            let attributes = try perform("getattr", node, "") { state throws(Errno) in
                try state.tree.node(node).attributes
            }
            reply.attributes(attributes, .forever)
        } catch {
            reply.fail(error)
        }
    }

    func open(_ node: NodeID, flags: Int32, _ reply: consuming Reply<RequestKind.Open>) {
        do throws(Errno) {
            let handle = try perform("open", node, describe(flags)) { state throws(Errno) in
                if flags & O_TRUNC != 0 { try state.tree.resize(node, to: 0) }
                return state.open(node)
            }
            reply.opened(handle, keepsCache: true)
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
            bytes = try perform("read", node, "@\(offset) +\(count)") { state throws(Errno) in
                Array(try state.tree.node(node).bytes.dropFirst(Int(offset)).prefix(count))
            }
        } catch {
            return reply.fail(error)
        }
        var answer = Optional(reply)
        bytes.withUnsafeBytes { answer.take()!.bytes($0) }
    }

    func release(_ handle: HandleID) {
        state.withLock { state in
            guard let node = state.handles.removeValue(forKey: handle) else { return }
            state.calls.append("release \(state.tree.nodes[node]!.label)")
        }
    }

    func openDirectory(_ node: NodeID, _ reply: consuming Reply<RequestKind.OpenDirectory>) {
        do throws(Errno) {
            let handle = try perform("opendir", node, "") { $0.open(node) }
            reply.opened(handle, keepsCache: cachesListings)
        } catch {
            reply.fail(error)
        }
    }

    func readDirectory(
        _ node: NodeID, _ handle: HandleID, offset: UInt64, into buffer: consuming DirectoryBuffer,
        _ reply: consuming Reply<RequestKind.Data>
    ) {
        do throws(Errno) {
            let (names, nodes) = try perform("readdir", node, "@\(offset)") { state throws(Errno) in
                let children = try state.tree.node(node).children
                let sorted = children.sorted { "\($0.key)" < "\($1.key)" }
                return (sorted, state.tree.nodes)
            }
            for (index, child) in names.enumerated().dropFirst(Int(offset)) {
                let name = child.key.bytes.map { CChar(bitPattern: $0) } + [0]
                let (id, next) = (child.value, UInt64(index) + 1)
                let attributes = nodes[id]!.attributes
                let entry = Entry(
                    node: id, generation: 0, attributes: attributes, cacheTime: .forever)
                let fits =
                    buffer.carriesEntries && offersEntries
                    ? buffer.add(name, entry, nextOffset: next)
                    : buffer.add(
                        name, inodeNumber: attributes.inodeNumber, kind: attributes.kind,
                        nextOffset: next)
                guard fits else { break }
            }
            reply.entries(buffer.bytes)
        } catch {
            reply.fail(error)
        }
    }

    func releaseDirectory(_ handle: HandleID) {
        state.withLock { _ = $0.handles.removeValue(forKey: handle) }
    }

    func readLink(_ node: NodeID, _ reply: consuming Reply<RequestKind.Link>) {
        do throws(Errno) {
            let target = try perform("readlink", node, "") { state throws(Errno) in
                try state.tree.node(node).target
            }
            reply.link(target)
        } catch {
            reply.fail(error)
        }
    }

    func statistics(_ reply: consuming Reply<RequestKind.Statistics>) {
        reply.statistics(
            FileSystemStatistics(
                blockBytes: 4096, blockCount: 1 << 20, freeBlockCount: 1 << 19, fileCount: 1))
    }

    func extendedAttribute(
        _ name: FileName, of node: NodeID, capacity: Int,
        _ reply: consuming Reply<RequestKind.ExtendedAttribute>
    ) {
        do throws(Errno) {
            let value = try perform("getxattr", node, "\(name)") { state throws(Errno) in
                try state.tree.node(node).extended[name]
            }
            if let value { reply.value(value, capacity: capacity) } else { reply.fail(.noData) }
        } catch {
            reply.fail(error)
        }
    }

    func extendedAttributeNames(
        of node: NodeID, capacity: Int, _ reply: consuming Reply<RequestKind.ExtendedAttribute>
    ) {
        do throws(Errno) {
            let names = try perform("listxattr", node, "") { state throws(Errno) in
                try state.tree.node(node).extended.keys.sorted { "\($0)" < "\($1)" }
            }
            reply.value(names.flatMap { $0.bytes + [0] }, capacity: capacity)
        } catch {
            reply.fail(error)
        }
    }

    func seek(
        _ node: NodeID, _ handle: HandleID, offset: UInt64, to target: SeekTarget,
        _ reply: consuming Reply<RequestKind.Seek>
    ) {
        do throws(Errno) {
            let size = try perform("lseek", node, "@\(offset)") { state throws(Errno) in
                try state.tree.node(node).attributes.size
            }
            guard offset < size else { return reply.fail(.noSuchAddressOrDevice) }
            reply.offset(target == .data ? offset : size)
        } catch {
            reply.fail(error)
        }
    }
}

/// The flags of open(2) that matter to a file system, in words.
func describe(_ flags: Int32) -> String {
    let access =
        switch flags & O_ACCMODE {
        case O_RDONLY: "r"
        case O_WRONLY: "w"
        default: "rw"
        }
    let others = [(O_EXCL, "excl"), (O_TRUNC, "trunc"), (O_APPEND, "append")]
    return ([access] + others.filter { flags & $0.0 != 0 }.map(\.1)).joined(separator: " ")
}
