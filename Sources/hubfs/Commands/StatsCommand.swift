import ArgumentParser
import FuseBridge
import Glibc
import HubClient
import Platform

struct StatsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats",
        abstract: "Show what a mount does: rates, waits, and what it needs.",
        discussion: """
            Asks the daemon, and shows what it has counted since the mount began. Latencies are those of requests \
            to the daemon: reads that were answered at once, reads that waited for the Hub, and calls about \
            names, attributes and opens.

            What the kernel answers by itself nobody counts: pages it has cached, names it knows, and \
            files that are whole in the cache, which it reads by itself on a mount of root ("passthrough" in \
            hubfs status).

            With --watch a line is shown for every second (--watch=5: for every five), of what happened in it, until \
            the mount ends or Ctrl-C.

              hubfs stats /mnt/gpt2
              hubfs stats /mnt/gpt2 --watch=5
            """)

    @Argument(help: "Where a repo is mounted.")
    var directory: String

    @Option(
        help: ArgumentHelp(
            "Show a line every so many seconds (--watch alone: 1).", valueName: "seconds"))
    var watch: Seconds?

    @Flag(help: "As JSON: one object, and with --watch one line for each interval.")
    var json = false

    private static let patienceSeconds = 2.0
    /// Lines of --watch below one head.
    private static let pageLineCount = 20

    func run() throws {
        let mount = try MountedFolder(directory)
        let first = try Self.figures(of: mount)
        if let watch {
            try show(mount, since: first, everySeconds: watch.value)
        } else if json {
            try writeLine(first.jsonWithRatios.text)
        } else {
            let text = StatsText(sinceMounted: first, nowSeconds: Double(time(nil)))
            try writeLine(text.lines.joined(separator: "\n"))
        }
    }

    /// Shows a line for every interval, until the mount has gone.
    private func show(
        _ mount: MountedFolder, since first: MountFigures, everySeconds seconds: Double
    ) throws(Failure) {
        var earlier = first
        var lineCount = 0
        while true {
            usleep(UInt32(seconds * 1_000_000))
            guard MountTable.record(at: mount.path)?.isOurs ?? false else { return }
            let figures = try Self.figures(of: mount)
            try show(figures, since: earlier, lineCount)
            earlier = figures
            lineCount += 1
        }
    }

    private func show(
        _ figures: MountFigures, since earlier: MountFigures, _ lineCount: Int
    ) throws(Failure) {
        let since = figures.since(earlier)
        if json { return try writeLine(since.jsonWithRatios.line) }
        if lineCount % Self.pageLineCount == 0 {
            for title in StatsLine.titles { try writeLine(title) }
        }
        let seconds: Double = figures.readSeconds - earlier.readSeconds
        try writeLine(StatsLine.text(since, seconds: seconds))
    }

    /// - Throws: `Failure` when the daemon does not answer.
    static func figures(of mount: MountedFolder) throws(Failure) -> MountFigures {
        do throws(ControlClient.Silence) {
            let client = try ControlClient(
                mountPoint: mount.path, folders: ControlFolder.existing(Environment()))
            defer { client.close() }
            try client.ask(.stats)
            return try client.figures(until: .now.advanced(bySeconds: patienceSeconds))
        } catch {
            throw Failure(
                error == .hangs ? .timedOut : .mountPoint, "\(mount.path): \(error.sentence)")
        }
    }
}
