import DequeModule
import HubClient

/// Finds programs that read the small files of a directory in its order, and says which come next.
///
/// A run begins with any file, and is one when the program goes on with the next: in the order of
/// names, which is the order of our directories and of a program that sorts. A run leaves out a few
/// files if it likes, and goes on in the directory next to its own. Readers that take turns at one
/// directory are several runs. Nothing is fetched for a run that has found all its files here: it
/// sleeps until one of them was missing.
///
/// ```
///          second file in order, and one was missing
/// asleep ─────────────────────────────────────────────▶ awake
///    ▲                                                    │
///    └──────── `presentCountMax` files in a row were here ┘
/// ```
///
/// Pure; its owner calls it under a lock.
struct SiblingDetector {
    /// Runs watched at once; the one used least recently is forgotten for a new one, and with it
    /// what it had still to fetch.
    static let runCountMax = 8
    /// Directories without a small file that are passed in search of the next one.
    static let emptyCountMax = 8

    /// A file by its place: what a run has fetched ahead.
    private struct Ahead: Equatable {
        let directory: String
        let index: Int
        let byteCount: UInt64

        func isAt(_ index: Int, of directory: ListedDirectory) -> Bool {
            self.index == index && self.directory == directory.path
        }
    }

    private struct Run {
        let number: Int
        /// Where the program is, and the furthest file it opened there.
        var directory: ListedDirectory
        var last: Int
        var lastContent: ContentID
        var openedCount = 1
        /// Two for a step to the next file, one for a step over a gap.
        var points = 0
        var isAwake = false
        /// Files in a row that were here already.
        var presentCount = 0
        /// Where the next file to fetch is looked for; nil behind the last directory.
        var cursor: (directory: ListedDirectory, index: Int)?
        var ahead = Deque<Ahead>()
        var aheadBytes: UInt64 = 0
        /// Files left out for later ones: they may still come.
        var passed = Deque<Ahead>()
        /// Directories without a small file since the last one.
        var emptyCount = 0
        var lastUse = 0

        var isFound: Bool { points >= 2 }

        /// Whether the program has this file open, or left it out on its way.
        func hasPassed(_ index: Int, of directory: ListedDirectory) -> Bool {
            (index == last && directory.path == self.directory.path)
                || passed.contains { $0.isAt(index, of: directory) }
        }

        mutating func removeFirstAhead() -> Ahead {
            let file = ahead.removeFirst()
            aheadBytes -= file.byteCount
            return file
        }
    }

    /// What the owner is to do next.
    enum Step {
        /// Fetch this file, unless it is here, and report to `fetched`.
        case fetch(ContentLocation, run: Int)
        /// Find the directory behind this one and give it to `goOn`.
        case find(after: ListedDirectory, run: Int)
    }

    private let policy: SiblingPolicy
    private var runs: [Run] = []
    private var openCount = 0
    private var lastNumber = 0

    init(policy: SiblingPolicy = SiblingPolicy()) { self.policy = policy }

    // MARK: The program

    /// Takes note that a file was opened.
    ///
    /// - Returns: whether it is time to ask for `next`: a quarter of a window is to be filled.
    mutating func opened(_ index: Int, of directory: ListedDirectory) -> Bool {
        guard let content = directory.content(at: index), isSmall(index, of: directory) else {
            return false
        }
        openCount += 1
        if let (run, place) = foreseen(index, directory) {
            take(place, of: run, directory)
            note(content, in: run)
        } else if let run = runs.firstIndex(where: { $0.hasPassed(index, of: directory) }) {
            runs[run].lastUse = openCount
        } else if let (run, gap) = step(to: index, directory) {
            runs[run].last = index
            runs[run].openedCount += 1
            runs[run].points += gap == 0 ? 2 : 1
            restartCursor(run)
            note(content, in: run)
        } else {
            begin(index, directory, content)
        }
        return runs.contains { run in
            let window = policy.windowCount(openedCount: run.openedCount)
            return wantsMore(run) && run.cursor != nil && run.ahead.count <= window - window / 4
        }
    }

    /// A program waits for this content: it was neither here nor fetched ahead.
    mutating func missed(_ content: ContentID) {
        guard let run = runs.firstIndex(where: { $0.lastContent == content }), !runs[run].isAwake
        else { return }
        runs[run].isAwake = true
        runs[run].presentCount = 0
        restartCursor(run)
    }

    // MARK: Fetching

    /// What to do now for the run used last that wants something; nil when none does.
    mutating func next() -> Step? {
        for run in runs.indices.sorted(by: { runs[$0].lastUse > runs[$1].lastUse }) {
            while wantsMore(runs[run]), let cursor = runs[run].cursor {
                guard cursor.index < cursor.directory.listing.count else {
                    runs[run].cursor = nil
                    return .find(after: cursor.directory, run: runs[run].number)
                }
                runs[run].cursor?.index += 1
                guard isSmall(cursor.index, of: cursor.directory),
                    let file = cursor.directory.file(at: cursor.index)
                else { continue }
                runs[run].emptyCount = 0
                runs[run].ahead.append(
                    Ahead(
                        directory: cursor.directory.path, index: cursor.index, byteCount: file.size)
                )
                runs[run].aheadBytes += file.size
                return .fetch(file, run: runs[run].number)
            }
        }
        return nil
    }

    /// Answers `Step.find`.
    mutating func goOn(_ number: Int, in directory: ListedDirectory?) {
        guard let run = runs.firstIndex(where: { $0.number == number }) else { return }
        runs[run].emptyCount += 1
        let goesOn = runs[run].emptyCount <= Self.emptyCountMax
        runs[run].cursor = goesOn ? directory.map { ($0, 0) } : nil
    }

    /// Answers `Step.fetch`.
    ///
    /// - Parameter wasHere: Nothing had to be fetched.
    mutating func fetched(_ number: Int, wasHere: Bool) {
        guard let run = runs.firstIndex(where: { $0.number == number }) else { return }
        runs[run].presentCount = wasHere ? runs[run].presentCount + 1 : 0
        if runs[run].presentCount >= policy.presentCountMax { runs[run].isAwake = false }
    }

    // MARK: Details

    private func wantsMore(_ run: Run) -> Bool {
        run.isFound && run.isAwake && run.aheadBytes < policy.windowBytesMax
            && run.ahead.count < policy.windowCount(openedCount: run.openedCount)
    }

    private func isSmall(_ index: Int, of directory: ListedDirectory) -> Bool {
        guard let size = directory.listing.fileSize(at: index) else { return false }
        return size > 0 && size <= policy.fileBytesMax
    }

    private func foreseen(_ index: Int, _ directory: ListedDirectory) -> (run: Int, place: Int)? {
        for run in runs.indices {
            let place = runs[run].ahead.firstIndex { $0.isAt(index, of: directory) }
            if let place { return (run, place) }
        }
        return nil
    }

    /// The program has come to a file that was foreseen.
    private mutating func take(_ place: Int, of run: Int, _ directory: ListedDirectory) {
        for _ in 0..<place { runs[run].passed.append(runs[run].removeFirstAhead()) }
        let file = runs[run].removeFirstAhead()
        while runs[run].passed.count > policy.windowCountMax { runs[run].passed.removeFirst() }
        runs[run].directory = directory
        runs[run].last = file.index
        runs[run].openedCount += 1
    }

    /// The run that a file continues, and how many small files it has left out.
    private func step(to index: Int, _ directory: ListedDirectory) -> (run: Int, gap: Int)? {
        var best: (run: Int, gap: Int)?
        for run in runs.indices where runs[run].directory.path == directory.path {
            guard let gap = gap(from: runs[run].last, to: index, directory) else { continue }
            if gap < best?.gap ?? .max { best = (run, gap) }
        }
        return best
    }

    /// Small files between two; nil when they are too many, or when it goes back.
    private func gap(from last: Int, to index: Int, _ directory: ListedDirectory) -> Int? {
        guard index > last else { return nil }
        var count = 0
        for between in last + 1..<index where isSmall(between, of: directory) {
            count += 1
            if count > policy.gapMax { return nil }
        }
        return count
    }

    private mutating func begin(_ index: Int, _ directory: ListedDirectory, _ content: ContentID) {
        if runs.count == Self.runCountMax {
            runs.remove(at: runs.indices.min { runs[$0].lastUse < runs[$1].lastUse }!)
        }
        lastNumber += 1
        runs.append(
            Run(
                number: lastNumber, directory: directory, last: index, lastContent: content,
                cursor: (directory, index + 1), lastUse: openCount))
    }

    private mutating func note(_ content: ContentID, in run: Int) {
        runs[run].lastContent = content
        runs[run].lastUse = openCount
    }

    /// Looks for files from behind the last one opened, if the program has overtaken the search or
    /// the run was asleep.
    private mutating func restartCursor(_ run: Int) {
        runs[run].ahead.removeAll()
        runs[run].aheadBytes = 0
        runs[run].cursor = (runs[run].directory, runs[run].last + 1)
    }
}
