import Glibc
import HubClient
import Platform
import RepoCache

/// Fetches files into the cache, many ranges of them at a time, and waits until each is verified
/// and on disk.
///
/// What is there is not asked for again, so a run that was ended, however, goes on where it was. Memory
/// and open files are bounded, whatever the number of files: so many are under way at once.
final class WarmRun {
    /// What a run did.
    struct Tally {
        var fileCount = 0
        var bytes: UInt64 = 0
        var fetchedFileCount = 0
        var fetchedBytes: UInt64 = 0
    }

    private struct Flight {
        var window = WarmWindow()
        var largeCount = 0
        var smallCount = 0
        /// Ranges that have not ended, by the number of their file.
        var openRanges: [Int: Int] = [:]
        var failure: CacheError?
    }

    /// A file under way.
    private struct Active {
        let number: Int
        let item: RepoBrowser.Item
        let content: OpenContent
        let hub: HubAccess
        /// Bytes that were here before.
        let before: UInt64
        /// When its verdict is not waited for any longer; known once all its bytes are here.
        var patience: MonotonicInstant?
    }

    private static let activeCountMax = 64
    private static let smallCountMax = 64
    /// Up to this size a range is a matter of requests, not of bytes.
    private static let smallBytesMax: UInt64 = 256 << 10
    /// Small contents wait for their row within so many bytes.
    private static let unwrittenBytesMax = 4 << 20
    private static let lookSeconds = 0.05
    private static let settleSeconds = 10.0
    private static let hashedBytesPerSecond = 20e6

    private let flight = Monitor(Flight())
    private var active: [Active] = []
    private var lastNumber = 0
    private var seen: Set<ContentID> = []
    private(set) var tally = Tally()
    /// What is to be fetched in all, for the time that is left.
    private let totalBytes: UInt64
    private var line: ProgressLine

    init(totalBytes: UInt64) {
        self.totalBytes = totalBytes
        line = ProgressLine(isShown: isatty(STDERR_FILENO) == 1)
    }

    /// Fetches the files of a source; returns when all are in the cache.
    func fetch(_ source: WarmSource) throws(Failure) {
        defer {
            for file in active { file.content.close() }
            active = []
            line.clear()
        }
        for item in source.files {
            try begin(item, of: source)
        }
        while !active.isEmpty {
            if try settle() { pause { _ in nil } }
        }
    }

    // MARK: Starting

    private func begin(_ item: RepoBrowser.Item, of source: WarmSource) throws(Failure) {
        guard case .file(let name, let size) = item.kind else { return }
        tally.fileCount += 1
        tally.bytes += size
        // There is nothing of an empty file, and one content is fetched once.
        guard size > 0, seen.insert(name).inserted else { return }
        while active.count >= Self.activeCountMax {
            if try settle() { pause { _ in nil } }
        }
        let content = try source.browser.open(item)
        lastNumber += 1
        let file = Active(
            number: lastNumber, item: item, content: content, hub: source.hub,
            before: content.presentBytes)
        active.append(file)
        if file.before == size { return }
        let ranges = Self.ranges(of: content)
        flight.update { $0.openRanges[file.number] = ranges.count }
        for range in ranges { try start(range, of: file) }
    }

    /// Contents that are verified before they are read come as one.
    private static func ranges(of content: OpenContent) -> [Range<UInt64>] {
        let size = content.location.size
        if content.isVerifiedFirst { return [0..<size] }
        return stride(from: 0, to: size, by: UInt64.Stride(WarmWindow.rangeBytes)).map { start in
            start..<min(start + WarmWindow.rangeBytes, size)
        }
    }

    private func start(_ range: Range<UInt64>, of file: Active) throws(Failure) {
        let isSmall = UInt64(range.count) <= Self.smallBytesMax
        while true {
            try settle()
            let isFree = pause { flight in
                isSmall
                    ? flight.smallCount < Self.smallCountMax
                    : flight.largeCount < flight.window.size
            }
            if isFree, file.hub.cache.unwrittenBytes <= Self.unwrittenBytesMax { break }
            if isFree { usleep(2000) }
        }
        flight.update { flight in
            if isSmall { flight.smallCount += 1 } else { flight.largeCount += 1 }
        }
        let begun = MonotonicInstant.now
        _ = file.content.read(offset: range.lowerBound, count: range.count) {
            [flight, number = file.number] result in
            flight.update { flight in
                if isSmall {
                    flight.smallCount -= 1
                } else {
                    flight.largeCount -= 1
                    flight.window.ended(afterSeconds: MonotonicInstant.now.seconds(since: begun))
                }
                flight.openRanges[number, default: 1] -= 1
                if case .failure(let error) = result, flight.failure == nil {
                    flight.failure = error
                }
            }
        }
    }

    /// Waits a moment, or less: until `isFree`; nil waits for the next thing that happens.
    ///
    /// - Returns: whether `isFree`.
    @discardableResult
    private func pause(_ isFree: (Flight) -> Bool?) -> Bool {
        let deadline = MonotonicInstant.now.advanced(bySeconds: Self.lookSeconds)
        var isFirstLook = true
        let answer = flight.wait(until: deadline) { flight -> Bool? in
            if flight.failure != nil { return false }
            if let isFree = isFree(flight) { return isFree ? true : nil }
            defer { isFirstLook = false }
            return isFirstLook ? nil : false
        }
        showProgress()
        return answer ?? false
    }

    // MARK: Ending

    /// Lets go of the files that are done.
    ///
    /// - Returns: whether there was none.
    @discardableResult
    private func settle() throws(Failure) -> Bool {
        let (open, failure) = flight.update { ($0.openRanges, $0.failure) }
        if let failure {
            throw Failure(failure, isAnonymous: active.first?.hub.isAnonymous ?? false)
        }
        let countBefore = active.count
        var index = 0
        while index < active.count {
            guard open[active[index].number, default: 0] == 0, try isSettled(&active[index]) else {
                index += 1
                continue
            }
            // Out of the list before anything can fail: `fetch` closes all that are in it.
            end(active.remove(at: index))
        }
        return active.count == countBefore
    }

    private func end(_ file: Active) {
        let fetched = file.content.location.size - file.before
        tally.fetchedBytes += fetched
        if fetched > 0 { tally.fetchedFileCount += 1 }
        flight.update { $0.openRanges[file.number] = nil }
        file.content.close()
    }

    /// Whether nothing is to come any more of a file whose bytes have all arrived.
    private func isSettled(_ file: inout Active) throws(Failure) -> Bool {
        let size = file.content.location.size
        if file.content.state == .failed {
            throw Failure(
                .integrity(file.content.location.content), isAnonymous: file.hub.isAnonymous)
        }
        guard file.content.presentBytes == size else {
            throw Failure(
                .localStorage,
                "the cache has no room for \(printable(file.item.path)): \(file.hub.roomSentence)")
        }
        if file.content.state == .sealed || file.content.isKeptAsRow { return true }
        let now = MonotonicInstant.now
        // The next to open it takes over what remains to be done.
        guard let patience = file.patience else {
            let seconds = Self.settleSeconds + Double(size) / Self.hashedBytesPerSecond
            file.patience = now.advanced(bySeconds: seconds)
            return false
        }
        return now > patience
    }

    private func showProgress() {
        guard line.isShown else { return }
        let here = active.reduce(UInt64(0)) { sum, file in
            let isLong = file.content.location.size > Self.smallBytesMax
            return isLong ? sum + file.content.presentBytes - file.before : sum
        }
        line.show(
            step: "fetching", done: tally.fetchedBytes + here, of: totalBytes,
            text: "\(tally.fileCount - active.count) files, "
                + "\(readableSize(tally.fetchedBytes + here)) of \(readableSize(totalBytes))")
    }
}

extension HubAccess {
    /// What the cache may use, and what helps when that is too little.
    var roomSentence: String {
        "its limit is \(readableSize(cache.limitBytes)), --cache-size sets another; "
            + "hubfs cache prune makes room"
    }
}
