import FuseBridge
import Platform

/// The repos of the tree that the kernel knows or that are open, each with a part of the node numbers.
///
/// ```
///           looked up in a fresh list                     used
/// (no slot) ─────────────────────────▶ listed ─────────────────────▶ open
///           ──────────────────────────────────────────────────────▶
///           resolved                                                  │ idle
///                                                                     ▼
///           forgotten                                             detached
/// (no slot) ◀───────────────────────── listed, open and idle, detached
/// ```
///
/// A part's number is never given out twice. A slot that is detached is found by no lookup any more, and
/// serves those who have it still until the kernel forgets it. A repo that is edited is not detached: there
/// is one workspace, so lookups go on finding the one slot, and it goes when the kernel has forgotten it
/// before anybody used it again.
struct SlotTable {
    struct Slot {
        let name: TreeRepo
        /// Of the newest commit, as the list of repos had it.
        var listedNanoseconds: Int64
        /// nil for a repo that was listed, and not used yet.
        var opened: OpenedPart?
        var fileSystem: (any TreePart)? { opened?.fileSystem }
        /// nil for one that is shown as it is.
        var edited: EditedRepo? { opened?.edited }
        /// Why it cannot be edited, where that has to be told.
        var obstacle: String? { opened?.obstacle }
        /// How many times the kernel holds the repo's root.
        var rootLookupCount: UInt64 = 0
        var usedAt: MonotonicInstant
        var isDetached = false
        /// The kernel was told to forget it, and nobody has used it since.
        fileprivate var isExpiring = false

        /// Whether the kernel knows nothing of the repo.
        fileprivate var isForgotten: Bool {
            rootLookupCount == 0 && !(fileSystem?.isKnown ?? false)
        }
    }

    private var slots: [UInt32: Slot] = [:]
    private var parts: [TreeRepo: UInt32] = [:]
    private var lastPart: UInt32 = 0
    private var removed: [Slot] = []

    subscript(part: PartNumbers) -> Slot? { slots[part.part] }

    /// Slots that there are, and those of them that are open.
    var count: Int { slots.count }
    var openCount: Int { slots.values.count { $0.fileSystem != nil } }

    /// The slots that are open.
    var open: [(part: PartNumbers, slot: Slot)] {
        slots.filter { $0.value.fileSystem != nil }.map { (PartNumbers(part: $0.key), $0.value) }
    }

    /// Repos that a lookup finds, by their names.
    var names: [TreeRepo] { Array(parts.keys) }

    /// The part of a repo that a lookup finds.
    func part(of name: TreeRepo) -> PartNumbers? { parts[name].map { PartNumbers(part: $0) } }

    /// Makes a slot for a repo that has none.
    mutating func add(
        _ name: TreeRepo, listedNanoseconds: Int64, now: MonotonicInstant
    ) -> PartNumbers {
        precondition(parts[name] == nil, "a repo has one slot that lookups find")
        precondition(lastPart < PartNumbers.partMax - 1, "a mount does not live for 2²⁸ repos")
        lastPart += 1
        slots[lastPart] = Slot(name: name, listedNanoseconds: listedNanoseconds, usedAt: now)
        parts[name] = lastPart
        return PartNumbers(part: lastPart)
    }

    /// The kernel is told of a repo's root once more.
    mutating func lookedUp(_ part: PartNumbers) {
        slots[part.part]?.rootLookupCount += 1
        slots[part.part]?.isExpiring = false
    }

    /// Somebody uses a repo.
    mutating func use(_ part: PartNumbers, now: MonotonicInstant) -> Slot? {
        slots[part.part]?.usedAt = now
        slots[part.part]?.isExpiring = false
        return slots[part.part]
    }

    /// Opens a repo; what opened it first stays.
    ///
    /// - Returns: whether it was opened by this.
    mutating func open(_ part: PartNumbers, _ opened: OpenedPart) -> Bool {
        guard let slot = slots[part.part], slot.opened == nil else { return false }
        slots[part.part]?.opened = opened
        return true
    }

    /// The kernel has let go of a node of a repo.
    ///
    /// - Parameter rootCount: How many times of its root.
    mutating func forgot(_ part: PartNumbers, rootCount: UInt64) {
        guard let slot = slots[part.part] else { return }
        slots[part.part]?.rootLookupCount -= min(rootCount, slot.rootLookupCount)
        if slot.fileSystem == nil || slot.isDetached || slot.isExpiring { removeIfForgotten(part) }
    }

    /// Slots of edited repos that have gone since this was asked last, for their owner to close.
    mutating func takeRemoved() -> [Slot] {
        defer { removed = [] }
        return removed
    }

    /// Repos that nobody has used since `instant` nor has open; with more open ones than `openCountMax`,
    /// those not used for longest as well. What the kernel has forgotten of them is removed at once.
    ///
    /// - Returns: those that the kernel still knows.
    mutating func idle(since instant: MonotonicInstant, openCountMax: Int) -> [PartNumbers] {
        let unused = slots.filter { _, slot in
            !slot.isDetached && slot.fileSystem.map { !$0.isHeld } == true
        }.sorted { $0.value.usedAt < $1.value.usedAt }
        let surplus = max(openCount - openCountMax, 0)
        let idle = unused.enumerated().filter { index, row in
            index < surplus || row.value.usedAt <= instant
        }.map { PartNumbers(part: $0.element.key) }
        return idle.filter { !removeIfForgotten($0) }
    }

    /// Lets a repo go when the kernel forgets it, and lookups not find it any more, unless it is edited.
    ///
    /// - Parameter usedAt: When it was found idle.
    /// - Returns: false when somebody has begun to use it since.
    mutating func detach(_ part: PartNumbers, ifUnusedSince usedAt: MonotonicInstant) -> Bool {
        guard let slot = slots[part.part], !slot.isDetached, slot.usedAt == usedAt,
            slot.fileSystem.map({ !$0.isHeld }) ?? true
        else { return false }
        if slot.fileSystem?.isAlone ?? false {
            slots[part.part]?.isExpiring = true
        } else {
            parts[slot.name] = nil
            slots[part.part]?.isDetached = true
        }
        removeIfForgotten(part)
        return true
    }

    @discardableResult
    private mutating func removeIfForgotten(_ part: PartNumbers) -> Bool {
        guard let slot = slots[part.part], slot.isForgotten else { return false }
        slots[part.part] = nil
        if !slot.isDetached { parts[slot.name] = nil }
        if slot.edited != nil { removed.append(slot) }
        return true
    }
}
