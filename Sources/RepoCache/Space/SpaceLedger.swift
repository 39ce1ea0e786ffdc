import Platform

/// Counts what the cache uses, so that room is reserved before bytes are written.
///
/// Two numbers bound the cache: its own limit, and the bytes of the disk it must leave free. Both
/// are measured from time to time (`measured`) and counted on from there; what other processes
/// write into the same cache is seen at the next measurement.
final class SpaceLedger: Sendable {
    private struct State {
        var usedBytes: UInt64
        var availableBytes: UInt64
        /// Reserved since the last measurement.
        var reservedBytes: UInt64 = 0
        /// Reserved ever.
        var totalReservedBytes: UInt64 = 0
    }

    let limitBytes: UInt64
    let floorBytes: UInt64
    private let state: Guarded<State>

    init(limitBytes: UInt64, floorBytes: UInt64, usedBytes: UInt64, availableBytes: UInt64) {
        self.limitBytes = limitBytes
        self.floorBytes = floorBytes
        state = Guarded(State(usedBytes: usedBytes, availableBytes: availableBytes), rank: .leaf)
    }

    /// Takes room for `bytes` on disk.
    ///
    /// - Returns: false when there is none; nothing was taken.
    func reserve(_ bytes: UInt64) -> Bool {
        state.withLock { state in
            guard hasRoom(for: bytes, state) else { return false }
            state.usedBytes += bytes
            state.availableBytes -= bytes
            state.reservedBytes += bytes
            state.totalReservedBytes += bytes
            return true
        }
    }

    /// Whether `reserve` would find room now.
    func hasRoom(for bytes: UInt64) -> Bool {
        state.withLock { hasRoom(for: bytes, $0) }
    }

    private func hasRoom(for bytes: UInt64, _ state: State) -> Bool {
        state.usedBytes + bytes <= limitBytes && state.availableBytes >= floorBytes + bytes
    }

    /// Where a measurement begins.
    struct Mark {
        fileprivate let totalReservedBytes: UInt64
    }

    /// To be called before the folder is looked at.
    func beginMeasurement() -> Mark {
        state.withLock { Mark(totalReservedBytes: $0.totalReservedBytes) }
    }

    /// Takes over what was measured. What was reserved since the mark may or may not have been
    /// seen: it is counted again, which errs on the safe side until the next time.
    func measured(since mark: Mark, usedBytes: UInt64, availableBytes: UInt64) {
        state.withLock { state in
            let unseen = state.totalReservedBytes - mark.totalReservedBytes
            state.usedBytes = usedBytes + unseen
            state.availableBytes = availableBytes - min(unseen, availableBytes)
            state.reservedBytes = unseen
        }
    }

    /// Whether so much was reserved that other processes' share should be looked at again.
    var isDueForMeasurement: Bool {
        state.withLock { $0.reservedBytes > max(limitBytes / 32, 1 << 20) }
    }

    /// Bytes used, as far as known.
    var usedBytes: UInt64 { state.withLock { $0.usedBytes } }

    /// Bytes to free so that an eighth of the limit is free for what comes next; 0 while a
    /// sixteenth still is.
    var excessBytes: UInt64 {
        state.withLock { state in
            let free = min(
                limitBytes > state.usedBytes ? limitBytes - state.usedBytes : 0,
                state.availableBytes > floorBytes ? state.availableBytes - floorBytes : 0)
            let over =
                max(
                    state.usedBytes > limitBytes ? state.usedBytes - limitBytes : 0,
                    state.availableBytes < floorBytes ? floorBytes - state.availableBytes : 0)
            return free >= limitBytes / 16 ? 0 : limitBytes / 8 - free + over
        }
    }
}
