import Glibc
import Logging
import Synchronization
import SystemPackage

/// Where the lines of a daemon go: a file, stderr, or both until the mount works.
final class DaemonLog: Sendable {
    private let file: LogFile?
    /// What goes to stderr at least; nil for nothing.
    private let standardErrorLevel: Atomic<Int>

    private let lines = Mutex(Lines())

    private struct Lines {
        /// In the order of `Logger.Level.allCases`.
        var counts = [UInt64](repeating: 0, count: Logger.Level.allCases.count)
        var recent = RecentLines(byteCountMax: 128 << 10)
        var recentErrors = RecentLines(byteCountMax: 32 << 10)
    }

    private static let nothing = Int.max

    /// - Parameter file: nil logs to stderr alone, everything.
    init(file: LogFile?) {
        self.file = file
        let level: Logger.Level = file == nil ? .trace : .warning
        standardErrorLevel = Atomic(Self.rank(level))
    }

    /// The path of the file, if there is one.
    var path: String? { file?.path.string }

    /// How many lines were written, by the name of their level.
    var lineCounts: [String: UInt64] {
        let names = Logger.Level.allCases.map(\.rawValue)
        return Dictionary(uniqueKeysWithValues: zip(names, lines.withLock { $0.counts }))
    }

    /// The last lines, whatever file they are in.
    var recent: String { lines.withLock { $0.recent }.text }

    /// The last lines of level warning and above.
    var recentErrors: String { lines.withLock { $0.recentErrors }.text }

    /// Leaves the terminal to others. Nothing changes for a daemon that logs to stderr alone.
    func leaveStandardError() {
        guard let file else { return }
        standardErrorLevel.store(Self.nothing, ordering: .relaxed)
        file.takeStandardStreams()
    }

    func write(_ line: String, level: Logger.Level) {
        lines.withLock { lines in
            lines.counts[Self.rank(level)] += 1
            lines.recent.append(line)
            if level >= .warning { lines.recentErrors.append(line) }
        }
        file?.append(line)
        if Self.rank(level) >= standardErrorLevel.load(ordering: .relaxed) {
            writeToStandardError(line)
        }
    }

    private static func rank(_ level: Logger.Level) -> Int {
        Logger.Level.allCases.firstIndex(of: level)!
    }
}

/// Writes each event as one line: time, level, message, metadata.
///
///     2026-01-02T03:04:05.678Z warning the Hub cannot be asked repo=models/gpt2
struct LineLogHandler: LogHandler {
    let log: DaemonLog
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]

    init(log: DaemonLog, level: Logger.Level) {
        self.log = log
        logLevel = level
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var line = "\(Self.timestamp()) \(event.level.rawValue) \(printable("\(event.message)"))"
        let details = metadata.merging(event.metadata ?? [:]) { $1 }
        for (key, value) in details.sorted(by: { $0.key < $1.key }) {
            line += " \(key)=\(printable("\(value)"))"
        }
        if let error = event.error { line += " error=\(printable("\(error)"))" }
        log.write(line + "\n", level: event.level)
    }

    private static func timestamp() -> String {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let text = utcTime(seconds: Int64(now.tv_sec))
        return text.dropLast() + "." + padded(now.tv_nsec / 1_000_000, width: 3) + "Z"
    }
}

/// For commands that look into a cache: they tell of errors alone, on stderr.
var quietLogger: Logger {
    Logger(label: "hubfs") { _ in LineLogHandler(log: DaemonLog(file: nil), level: .error) }
}
