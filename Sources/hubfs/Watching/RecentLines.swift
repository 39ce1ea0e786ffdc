import DequeModule

/// The last lines of a log, within so many bytes.
struct RecentLines {
    let byteCountMax: Int
    private var lines = Deque<String>()
    private var byteCount = 0

    init(byteCountMax: Int) { self.byteCountMax = byteCountMax }

    /// Adds a line, which ends with a newline; the oldest ones go. One that is too long by itself is not
    /// taken.
    mutating func append(_ line: String) {
        guard line.utf8.count <= byteCountMax else { return }
        lines.append(line)
        byteCount += line.utf8.count
        while byteCount > byteCountMax, let oldest = lines.popFirst() {
            byteCount -= oldest.utf8.count
        }
    }

    var text: String { lines.joined() }
}
