/// The differences of two texts in the form that diff(1), patch(1) and git share, without the lines
/// that name the files: pure. Source: POSIX, diff, "Diff -u Output Format".
package struct TextDiff: Hashable, Sendable {
    package let addedCount: Int
    package let removedCount: Int
    /// The hunks; "" where nothing differs.
    package let hunks: String

    /// Equal lines shown before and after a difference.
    private static let contextCount = 3

    /// - Returns: nil when one of the two is no text: not UTF-8, or with a NUL in it.
    package init?(old: [UInt8], new: [UInt8]) {
        guard Self.isText(old), Self.isText(new) else { return nil }
        let (oldLines, newLines) = (Self.lines(old), Self.lines(new))
        var numbers = LineNumbers()
        let changes = LineDiff(
            oldLines.map { numbers.number(of: old[$0]) },
            newLines.map { numbers.number(of: new[$0]) }
        ).changes
        addedCount = changes.reduce(0) { $0 + $1.new.count }
        removedCount = changes.reduce(0) { $0 + $1.old.count }
        var writer = HunkWriter(old: old, oldLines: oldLines, new: new, newLines: newLines)
        for hunk in Self.hunks(changes, oldCount: oldLines.count) { writer.write(hunk) }
        hunks = String(decoding: writer.bytes, as: UTF8.self)
    }

    private static func isText(_ bytes: [UInt8]) -> Bool {
        !bytes.contains(0) && String(validating: bytes, as: UTF8.self) != nil
    }

    /// Each line with its newline; the last one may have none.
    private static func lines(_ bytes: [UInt8]) -> [Range<Int>] {
        var lines: [Range<Int>] = []
        var start = 0
        for (index, byte) in bytes.enumerated() where byte == UInt8(ascii: "\n") {
            lines.append(start..<index + 1)
            start = index + 1
        }
        if start < bytes.count { lines.append(start..<bytes.count) }
        return lines
    }

    /// Differences whose context would touch, together.
    private static func hunks(
        _ changes: [LineDiff.Change], oldCount: Int
    ) -> [[LineDiff.Change]] {
        var hunks: [[LineDiff.Change]] = []
        for change in changes {
            if let last = hunks.last?.last,
                change.old.lowerBound - last.old.upperBound <= 2 * contextCount
            {
                hunks[hunks.count - 1].append(change)
            } else {
                hunks.append([change])
            }
        }
        return hunks
    }

    /// Gives equal lines equal numbers.
    private struct LineNumbers {
        private var numbers: [ArraySlice<UInt8>: Int32] = [:]

        mutating func number(of line: ArraySlice<UInt8>) -> Int32 {
            if let number = numbers[line] { return number }
            let number = Int32(numbers.count)
            numbers[line] = number
            return number
        }
    }

    private struct HunkWriter {
        let old: [UInt8]
        let oldLines: [Range<Int>]
        let new: [UInt8]
        let newLines: [Range<Int>]
        var bytes: [UInt8] = []

        init(old: [UInt8], oldLines: [Range<Int>], new: [UInt8], newLines: [Range<Int>]) {
            (self.old, self.oldLines) = (old, oldLines)
            (self.new, self.newLines) = (new, newLines)
        }

        mutating func write(_ changes: [LineDiff.Change]) {
            let (first, last) = (changes.first!, changes.last!)
            let before = min(contextCount, first.old.lowerBound)
            let after = min(contextCount, oldLines.count - last.old.upperBound)
            let oldRange = first.old.lowerBound - before..<last.old.upperBound + after
            let newRange = first.new.lowerBound - before..<last.new.upperBound + after
            bytes += "@@ -\(Self.text(oldRange)) +\(Self.text(newRange)) @@\n".utf8
            var line = oldRange.lowerBound
            for change in changes {
                writeOld(line..<change.old.lowerBound, " ")
                writeOld(change.old, "-")
                for line in change.new { write(new[newLines[line]], "+") }
                line = change.old.upperBound
            }
            writeOld(line..<oldRange.upperBound, " ")
        }

        /// First line, counted from 1, and how many; of no lines, the one before.
        private static func text(_ range: Range<Int>) -> String {
            switch range.count {
            case 0: "\(range.lowerBound),0"
            case 1: "\(range.lowerBound + 1)"
            case let count: "\(range.lowerBound + 1),\(count)"
            }
        }

        private mutating func writeOld(_ lines: Range<Int>, _ mark: Unicode.Scalar) {
            for line in lines { write(old[oldLines[line]], mark) }
        }

        private mutating func write(_ line: ArraySlice<UInt8>, _ mark: Unicode.Scalar) {
            bytes.append(UInt8(ascii: mark))
            bytes += line
            if line.last != UInt8(ascii: "\n") {
                bytes += "\n\\ No newline at end of file\n".utf8
            }
        }
    }
}
