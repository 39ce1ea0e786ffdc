import Synchronization

/// A map that forgets what was used longest ago once its entries cost more than `costMax`.
///
/// Two generations stand in for a list of uses: what is met in the old one moves to the new one;
/// when the new one is half full, the old one is dropped whole. So an entry lives at least until
/// half of the limit was used after it.
final class BoundedCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct State {
        var young: [Key: (value: Value, cost: Int)] = [:]
        var old: [Key: (value: Value, cost: Int)] = [:]
        var youngCost = 0
    }

    private let state = Mutex(State())
    private let costMax: Int

    init(costMax: Int) {
        self.costMax = costMax
    }

    subscript(key: Key) -> Value? {
        state.withLock { state in
            if let hit = state.young[key] { return hit.value }
            guard let hit = state.old.removeValue(forKey: key) else { return nil }
            insert(key, hit.value, hit.cost, &state)
            return hit.value
        }
    }

    /// Keeps the value unless it alone exceeds half of the limit.
    func insert(_ key: Key, _ value: Value, cost: Int = 1) {
        guard cost <= costMax / 2 else { return }
        state.withLock { insert(key, value, cost, &$0) }
    }

    private func insert(_ key: Key, _ value: Value, _ cost: Int, _ state: inout State) {
        if state.youngCost + cost > costMax / 2 {
            state.old = state.young
            state.young = [:]
            state.youngCost = 0
        }
        let before = state.young.updateValue((value, cost), forKey: key)
        state.youngCost += cost - (before?.cost ?? 0)
    }
}
