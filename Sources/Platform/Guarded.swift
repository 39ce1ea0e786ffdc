import CLinux
import Glibc

/// The order in which locks may be taken: only upwards.
///
/// A thread that holds a lock may take another only if its rank is higher, so no two threads can
/// wait for each other. Debug builds check it at every acquisition.
package enum LockRank: UInt64, Sendable {
    case session = 0
    case handle
    case inode
    case inodeTable
    case tree
    case readahead
    case blockWaiters
    case blockStore
    case hub
    case gate
    case transport
    case timer
    /// Held for a few instructions, never while another lock is taken.
    case leaf
}

/// State that is only ever touched under its own lock.
///
/// Hold it for memory operations only: never across a wait, a system call that can block, or a
/// call to a closure that came from outside.
///
/// `@unchecked Sendable`: `state` is private and every access holds `mutex`, which lives at a fixed
/// address until `deinit`.
package final class Guarded<State>: @unchecked Sendable {
    private var state: State
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let rank: LockRank

    package init(_ initial: State, rank: LockRank = .leaf) {
        state = initial
        self.rank = rank
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    /// Runs `body` with exclusive access to the state.
    ///
    /// Locks: takes its own rank; `body` may take higher ones.
    package func withLock<Result, Failure: Error>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        enterLock(rank)
        defer { leaveLock(rank) }
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&state)
    }
}

/// Records that this thread is about to take a lock of `rank`; traps when the order is broken.
@inline(__always)
func enterLock(_ rank: LockRank) {
    #if DEBUG
        let held = hubfs_held_lock_ranks()
        precondition(
            held.pointee >> rank.rawValue == 0,
            "lock \(rank) is taken while a lock of the same or a higher rank is held")
        held.pointee |= 1 << rank.rawValue
    #endif
}

/// Records that this thread has released its lock of `rank`.
@inline(__always)
func leaveLock(_ rank: LockRank) {
    #if DEBUG
        hubfs_held_lock_ranks().pointee &= ~(1 << rank.rawValue)
    #endif
}
