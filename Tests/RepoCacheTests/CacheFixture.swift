import Crypto
import HubClient
import Logging
import Platform
import RepoCache
import SystemPackage
import TestSupport

/// A cache in a folder of its own over an origin in memory.
final class CacheFixture {
    static let repo = RepoID(kind: .model, name: "org/model")
    static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    static let commit = CommitOID(hex: String(repeating: "c", count: 40))!

    let folder = ScratchFolder()
    let origin = MemoryOrigin()
    let timers = TimerQueue()
    private var caches: [RepoCache] = []

    /// One more cache on the folder, as another process would open it.
    func open(_ change: (inout CacheConfiguration) -> Void = { _ in }) throws -> RepoCache {
        var configuration = CacheConfiguration(root: folder.path)
        configuration.freeFloorBytes = 0
        // A machine that is busy for seconds must not pass for a slow network: requests are counted.
        configuration.hedgeSeconds = 60
        change(&configuration)
        let cache = try RepoCache(
            configuration: configuration, contents: origin, trees: origin, timers: timers,
            logger: Self.logger)
        caches.append(cache)
        try cache.awaitOpening()
        return cache
    }

    func close(_ cache: RepoCache) {
        caches.removeAll { $0 === cache }
        cache.close()
    }

    /// Closes everything. To be called at the end of each test.
    func end() {
        for cache in caches { cache.close() }
        origin.close()
        timers.close()
        folder.remove()
    }

    /// Adds a content to the origin.
    func add(lfs bytes: [UInt8], path: String = "model.bin") -> ContentLocation {
        let oid = LFSOID(bytes: Array(SHA256.hash(data: bytes)))!
        return add(bytes, as: .lfs(oid), path)
    }

    func add(git bytes: [UInt8], path: String = "config.json") -> ContentLocation {
        let oid = BlobOID(
            bytes: Array(Insecure.SHA1.hash(data: Array("blob \(bytes.count)\0".utf8) + bytes)))!
        return add(bytes, as: .git(oid), path)
    }

    private func add(_ bytes: [UInt8], as content: ContentID, _ path: String) -> ContentLocation {
        origin.add(bytes, as: content)
        return ContentLocation(
            repo: Self.repo, commit: Self.commit, path: path, content: content,
            size: UInt64(bytes.count))
    }
}

/// Bytes that differ at every place of interest, the same for the same seed.
func sampleBytes(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var random = SplitMix(state: seed)
    return [UInt8](unsafeUninitializedCapacity: count + 8) { buffer, filled in
        let bytes = UnsafeMutableRawBufferPointer(buffer)
        for offset in stride(from: 0, to: count, by: 8) {
            bytes.storeBytes(of: random.next(), toByteOffset: offset, as: UInt64.self)
        }
        filled = count
    }
}

/// A small generator whose seed a failing test can print.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// Receives one answer and waits for it; a watchdog ends a wait that is a bug.
final class Answer<Value: Sendable>: Sendable {
    private let values = Monitor<[Value]>([])

    func give(_ value: Value) { values.update { $0.append(value) } }

    /// How many answers came so far.
    var count: Int { values.update { $0.count } }

    func wait(seconds: Double = 20) -> Value? {
        values.wait(until: .now.advanced(bySeconds: seconds)) { $0.first }
    }
}

extension OpenContent {
    /// Reads as RepoFS does: what is present at once, else parked until it is.
    func readWaiting(_ offset: UInt64, _ count: Int) -> Result<[UInt8], CacheError> {
        for _ in 0..<8 {
            if let bytes = readHere(offset, count) { return .success(bytes) }
            let answer = Answer<Result<[UInt8]?, CacheError>>()
            _ = read(offset: offset, count: count) { [self] result in
                answer.give(result.map { readHere(offset, count) })
            }
            switch answer.wait() {
            case .success(let bytes?): return .success(bytes)
            case .success(nil): continue
            case .failure(let error): return .failure(error)
            case nil: preconditionFailure("a read never ended")
            }
        }
        preconditionFailure("bytes said to be here never are")
    }

    /// The bytes, if all of them are here.
    func readHere(_ offset: UInt64, _ count: Int) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0xEE, count: count)
        let read = buffer.withUnsafeMutableBytes { readPresent(into: $0, at: offset) }
        return read.map { Array(buffer.prefix($0)) }
    }
}

/// Waits for something that another thread brings about.
func eventually(seconds: Double = 10, _ condition: () -> Bool) -> Bool {
    let deadline = MonotonicInstant.now.advanced(bySeconds: seconds)
    let pause = Monitor(())
    while !condition() {
        if MonotonicInstant.now > deadline { return false }
        let _: Never? = pause.wait(until: .now.advanced(bySeconds: 0.005)) { _ in nil }
    }
    return true
}

/// A clock that stands still until it is moved.
final class ManualTime: TimeSource {
    private let seconds = Guarded(0.0, rank: .leaf)

    var now: MonotonicInstant {
        MonotonicInstant(nanoseconds: 1_000_000_000)
            .advanced(bySeconds: seconds.withLock { $0 })
    }

    func advance(bySeconds more: Double) { seconds.withLock { $0 += more } }
}
