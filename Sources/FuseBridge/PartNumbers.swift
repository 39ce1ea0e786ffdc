/// The numbers of one part of a file system that is made of several.
///
/// Each part numbers its nodes and handles as if it were alone, from 1 on and below 2³⁶: a repo that is
/// edited never gives out a number twice, also not after a restart. The kernel is shown them with the
/// part's own number, below 2²⁸, in front of them; those of part 0, which is the whole, are shown as they
/// are.
package struct PartNumbers: Hashable, Sendable {
    package let part: UInt32

    /// The largest number a part can have. `VirtualFolder` has it.
    package static let partMax: UInt32 = 1 << 28 - 1

    /// - Parameter part: At most `partMax`.
    package init(part: UInt32) {
        precondition(part <= Self.partMax, "a part's number has 28 bits")
        self.part = part
    }

    /// Numbers that are not changed: of a file system that is no part of another.
    package static let whole = PartNumbers(part: 0)

    /// The part that a node the kernel names belongs to.
    package init(of node: NodeID) {
        part = UInt32(truncatingIfNeeded: node.number >> Self.insideBits)
    }

    /// The part that has given out a handle.
    package init(of handle: HandleID) {
        part = UInt32(truncatingIfNeeded: handle.number >> Self.insideBits)
    }

    /// A node of the part, as the kernel is shown it.
    package func outside(_ node: NodeID) -> NodeID { NodeID(outside(node.number)) }

    /// A node that the kernel names, as its part knows it.
    package static func inside(_ node: NodeID) -> NodeID { NodeID(node.number & insideMax) }

    /// A handle that the kernel names, as its part knows it.
    package static func inside(_ handle: HandleID) -> HandleID {
        HandleID(handle.number & insideMax)
    }

    private static let insideBits: UInt64 = 36
    private static let insideMax: UInt64 = 1 << insideBits - 1

    private func outside(_ number: UInt64) -> UInt64 {
        precondition(part == 0 || number <= Self.insideMax, "a part has less than 2³⁶ nodes")
        return number | UInt64(part) << Self.insideBits
    }

    func outside(_ entry: Entry) -> Entry {
        if part == 0 { return entry }
        return Entry(
            node: outside(entry.node), generation: entry.generation, attributes: entry.attributes,
            cacheTime: entry.cacheTime)
    }

    /// What the part answers, as the kernel is told it.
    func outside(_ answer: Answer) -> Answer {
        if part == 0 { return answer }
        switch answer {
        case .entry(let entry): return .entry(outside(entry))
        case .opened(let handle, let keepsCache):
            return .opened(HandleID(outside(handle.number)), keepsCache: keepsCache)
        case .openedDirectly(let handle):
            return .openedDirectly(HandleID(outside(handle.number)))
        case .openedBacked(let handle, let file):
            return .openedBacked(HandleID(outside(handle.number)), file)
        case .openedDirectory(let handle, let keepsCache):
            return .openedDirectory(HandleID(outside(handle.number)), keepsCache: keepsCache)
        case .created(let entry, let handle, let keepsCache):
            return .created(
                outside(entry), HandleID(outside(handle.number)), keepsCache: keepsCache)
        case .failure, .success, .absent, .attributes, .bytes, .entries, .value, .link, .statistics,
            .size, .offset, .written:
            return answer
        }
    }
}
