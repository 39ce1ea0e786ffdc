package import Glibc

/// A point on the monotonic clock, in nanoseconds. Source: man 2 clock_gettime.
package struct MonotonicInstant: Hashable, Sendable, Comparable {
    package let nanoseconds: UInt64

    package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    /// The current time.
    package static var now: MonotonicInstant {
        var time = Glibc.timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return MonotonicInstant(
            nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
    }

    package static func < (left: Self, right: Self) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// This instant moved by `seconds`, which may be negative; stops at zero.
    package func advanced(bySeconds seconds: Double) -> MonotonicInstant {
        let moved = Double(nanoseconds) + seconds * 1e9
        return MonotonicInstant(nanoseconds: moved <= 0 ? 0 : UInt64(moved))
    }

    /// Seconds from `earlier` to this instant; negative when `earlier` is later.
    package func seconds(since earlier: MonotonicInstant) -> Double {
        (Double(nanoseconds) - Double(earlier.nanoseconds)) / 1e9
    }

    package var timespec: Glibc.timespec {
        Glibc.timespec(
            tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
    }
}

/// Tells the time. Pure machines take instants as arguments; shells read them from here, so that
/// tests can move time by hand.
package protocol TimeSource: Sendable {
    var now: MonotonicInstant { get }
}

/// The machine's own monotonic clock.
package struct SystemTime: TimeSource {
    package init() {}
    package var now: MonotonicInstant { .now }
}
