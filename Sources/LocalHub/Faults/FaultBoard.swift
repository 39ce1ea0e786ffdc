import Synchronization

/// The faults in force; asked once for each request.
package final class FaultBoard: Sendable {
    /// A fault on the board and what became of it.
    package struct Entry: Sendable {
        package let id: Int
        package let fault: Fault
        /// Requests it matched, harmed or not.
        package fileprivate(set) var matched = 0
        /// Requests it harmed.
        package fileprivate(set) var fired = 0

        fileprivate let glob: Glob
        fileprivate var random: SplitMix

        fileprivate init(id: Int, fault: Fault) {
            self.id = id
            self.fault = fault
            glob = Glob(fault.path, crossesSlashes: true)
            random = SplitMix(seed: fault.seed)
        }
    }

    private struct State {
        var entries: [Entry] = []
        var nextID = 1
    }

    /// Faults at the same time; the board is searched for each request.
    package static let entriesMax = 1000

    private let state = Mutex(State())

    package init() {}

    /// - Returns: the fault's number; nil if the board is full.
    @discardableResult
    package func add(_ fault: Fault) -> Int? {
        state.withLock { state in
            guard state.entries.count < Self.entriesMax else { return nil }
            let id = state.nextID
            state.nextID += 1
            state.entries.append(Entry(id: id, fault: fault))
            return id
        }
    }

    package var entries: [Entry] {
        state.withLock { $0.entries }
    }

    /// - Returns: whether it was on the board.
    @discardableResult
    package func remove(_ id: Int) -> Bool {
        state.withLock { state in
            let before = state.entries.count
            state.entries.removeAll { $0.id == id }
            return state.entries.count < before
        }
    }

    package func clear() {
        state.withLock { $0.entries = [] }
    }

    /// What happens to a request. Faults are tried in the order they were added; of those that end
    /// a request only the first one fires.
    func plan(
        method: String, path: String, traffic: TrafficClass, endpoint: String
    ) -> FaultPlan {
        state.withLock { state in
            var plan = FaultPlan()
            for index in state.entries.indices {
                guard state.entries[index].matches(method, path, traffic, endpoint),
                    plan.hasRoom(for: state.entries[index].fault.kind),
                    state.entries[index].fires()
                else { continue }
                plan.add(state.entries[index].fault.kind)
            }
            return plan
        }
    }
}

extension FaultBoard.Entry {
    fileprivate func matches(
        _ method: String, _ path: String, _ traffic: TrafficClass, _ endpoint: String
    ) -> Bool {
        (fault.method ?? method) == method && (fault.traffic ?? traffic) == traffic
            && (fault.endpoint ?? endpoint) == endpoint && glob.matches(path)
    }

    fileprivate mutating func fires() -> Bool {
        if let count = fault.count, fired >= count { return false }
        matched += 1
        guard matched > fault.skip else { return false }
        guard fault.percent >= 100 || random.percent() < fault.percent else { return false }
        fired += 1
        return true
    }
}

/// What the faults make of one request.
struct FaultPlan: Sendable {
    private(set) var delays: [Double] = []
    private(set) var link: Link?
    private(set) var ignoresRange = false
    private(set) var isGzipped = false
    private(set) var corruption: (start: Int, count: Int?)?
    /// The fault that ends the request before its usual end.
    private(set) var ending: Fault.Kind?

    func hasRoom(for kind: Fault.Kind) -> Bool {
        switch kind {
        case .delay, .ignoreRange, .gzip: true
        case .link: link == nil
        case .corrupt: corruption == nil
        case .rateLimited, .status, .lateStatus, .expired, .cut, .reset, .resetUpload, .stall,
            .loseAnswer, .stallAnswer:
            ending == nil
        }
    }

    mutating func add(_ kind: Fault.Kind) {
        switch kind {
        case .delay(let milliseconds): delays.append(milliseconds)
        case .link(let link): self.link = link
        case .ignoreRange: ignoresRange = true
        case .gzip: isGzipped = true
        case .corrupt(let start, let count): corruption = (start, count)
        case .rateLimited, .status, .lateStatus, .expired, .cut, .reset, .resetUpload, .stall,
            .loseAnswer, .stallAnswer:
            ending = kind
        }
    }
}

/// A small generator that is the same everywhere. Source: Steele, Lea and Flood, "Fast splittable
/// pseudorandom number generators".
private struct SplitMix: Sendable {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    /// From 0 to below 100.
    mutating func percent() -> Double {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        value ^= value >> 31
        return Double(value >> 11) / Double(1 << 53 as UInt64) * 100
    }
}
