import FuseBridge

/// What open and opendir gave out and release has not taken back.
struct HandleTable<Value> {
    private var values: [Value?] = []
    private var freeNumbers: [Int] = []

    /// Handles given out now.
    var count: Int { values.count - freeNumbers.count }

    mutating func insert(_ value: Value) -> HandleID {
        if let number = freeNumbers.popLast() {
            values[number] = value
            return HandleID(UInt64(number))
        }
        values.append(value)
        return HandleID(UInt64(values.count - 1))
    }

    /// Nil for a handle that was not given out. What was can be changed, and is ended by `remove`.
    subscript(handle: HandleID) -> Value? {
        get { handle.number < UInt64(values.count) ? values[Int(handle.number)] : nil }
        set {
            guard let newValue, self[handle] != nil else { return }
            values[Int(handle.number)] = newValue
        }
    }

    /// Puts another value in the place of one that was given out.
    mutating func replace(_ value: Value, at handle: HandleID) {
        if self[handle] != nil { values[Int(handle.number)] = value }
    }

    /// - Returns: nil for a handle that was not given out.
    mutating func remove(_ handle: HandleID) -> Value? {
        guard let value = self[handle] else { return nil }
        values[Int(handle.number)] = nil
        freeNumbers.append(Int(handle.number))
        return value
    }

    /// Everything that is still given out.
    mutating func removeAll() -> [Value] {
        defer { self = HandleTable() }
        return values.compactMap { $0 }
    }
}
