import Glibc
package import Platform
import Synchronization

/// How long the kernel waited for answers, and how many bytes of files it got.
///
/// Each session thread counts for itself what it has answered at once, which costs two looks at the clock.
/// A request that was parked is counted when somebody takes the right to answer it, by how long it took until
/// then. Nothing is known here of files that the kernel reads by itself, nor of pages it has.
package final class RequestTimes: Sendable {
    /// What a request was for, and for reads whether it waited.
    package enum Kind: Int, Hashable, Sendable, CaseIterable {
        /// Answered on the thread that took the request.
        case readAtOnce
        /// Parked, until bytes had come from the Hub.
        case readAfterWait
        case write
        /// fsync(2) and its like.
        case sync
        /// Names, attributes, opens and directories, parked or not.
        case metadata
    }

    /// One reading.
    package struct Snapshot: Hashable, Sendable {
        package var durations: [Kind: Durations] = [:]
        /// Bytes of files that were answered to reads.
        package var readBytes: UInt64 = 0
        package var writtenBytes: UInt64 = 0

        package init() {}
    }

    private let threads = Guarded<[ThreadTimes]>([], rank: .leaf)
    private let parked = KindHistograms()
    private let readBytes = Atomic<UInt64>(0)
    private let writtenBytes = Atomic<UInt64>(0)

    package var snapshot: Snapshot {
        var snapshot = Snapshot()
        for histograms in threads.withLock({ $0 }).map(\.histograms) + [parked] {
            for kind in Kind.allCases {
                snapshot.durations[kind, default: Durations()].add(histograms[kind].durations)
            }
        }
        snapshot.readBytes = readBytes.load(ordering: .relaxed)
        snapshot.writtenBytes = writtenBytes.load(ordering: .relaxed)
        return snapshot
    }

    /// The calling thread's own part. Call once a thread, before it takes requests.
    func beginThread() -> ThreadTimes {
        let times = ThreadTimes()
        threads.withLock { $0.append(times) }
        times.makeCurrent()
        return times
    }

    /// Counts a request that was parked; its answer comes next.
    func ended(_ request: ParkedRequest) {
        let kind = request.kind == .readAtOnce ? Kind.readAfterWait : request.kind
        let now = MonotonicInstant.now.nanoseconds
        parked[kind].record(nanoseconds: now - min(now, request.startNanoseconds))
    }

    func countRead(_ byteCount: Int) {
        readBytes.wrappingAdd(UInt64(byteCount), ordering: .relaxed)
    }

    func countWritten(_ byteCount: Int) {
        writtenBytes.wrappingAdd(UInt64(byteCount), ordering: .relaxed)
    }
}

/// A request that waits to be answered, and since when.
struct ParkedRequest {
    let kind: RequestTimes.Kind
    let startNanoseconds: UInt64
}

/// A histogram for each kind of request.
final class KindHistograms: Sendable {
    private let histograms = RequestTimes.Kind.allCases.map { _ in DurationHistogram() }

    subscript(kind: RequestTimes.Kind) -> DurationHistogram { histograms[kind.rawValue] }
}

/// What one session thread has answered at once.
///
/// `@unchecked Sendable`: `current` and `wasParked` are touched by the thread alone.
final class ThreadTimes: @unchecked Sendable {
    let histograms = KindHistograms()
    /// The request that the thread is at; nil for one that nobody waits for.
    private var current: ParkedRequest?
    private var wasParked = false

    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        let status = pthread_key_create(&key, nil)
        precondition(status == 0, "no thread-specific key is left: errno \(status)")
        return key
    }()

    func makeCurrent() {
        // `RequestTimes` keeps it alive, and is kept by the session, which outlives its threads.
        pthread_setspecific(Self.key, Unmanaged.passUnretained(self).toOpaque())
    }

    /// The thread takes up a request.
    func begin(_ kind: RequestTimes.Kind?) {
        wasParked = false
        current = kind.map {
            ParkedRequest(kind: $0, startNanoseconds: MonotonicInstant.now.nanoseconds)
        }
    }

    /// The thread is done with it: it is answered, or parked.
    func end() {
        guard let request = current.take(), !wasParked else { return }
        let nanoseconds = MonotonicInstant.now.nanoseconds - request.startNanoseconds
        histograms[request.kind].record(nanoseconds: nanoseconds)
    }

    /// Takes note that the request the calling thread is at is parked.
    ///
    /// - Returns: nil on other threads, where a request that was parked is handed on and parked again: it
    ///   is counted already.
    static func park() -> ParkedRequest? {
        guard let known = pthread_getspecific(key) else { return nil }
        let times = Unmanaged<ThreadTimes>.fromOpaque(known).takeUnretainedValue()
        times.wasParked = true
        return times.current
    }
}
