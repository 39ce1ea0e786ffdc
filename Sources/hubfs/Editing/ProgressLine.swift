import Platform

/// One line on the terminal that is written over: step, bytes, rate and time left.
struct ProgressLine {
    let isShown: Bool
    private let start = MonotonicInstant.now
    private var step = ""
    private var stepStart = MonotonicInstant.now
    private var width = 0

    init(isShown: Bool) { self.isShown = isShown }

    mutating func show(_ status: EditStatus) {
        show(
            step: status.step, done: status.doneBytes, of: status.totalBytes,
            text: status.progressText)
    }

    /// - Parameters:
    ///   - step: What is done; its rate is counted from its start.
    ///   - text: What stands before the rate.
    mutating func show(step: String, done: UInt64, of total: UInt64, text: String) {
        guard isShown else { return }
        if step != self.step {
            self.step = step
            stepStart = .now
        }
        var text = text
        if total > 0 {
            let seconds = max(MonotonicInstant.now.seconds(since: stepStart), 0.1)
            let rate = Double(done) / seconds
            text += ", \(readableSize(UInt64(rate)))/s"
            if rate > 0, total > done {
                let left = Double(total - done) / rate
                text += ", \(readableSpan(seconds: Int64(left))) left"
            }
        }
        let padding = String(repeating: " ", count: max(0, width - text.utf8.count))
        width = text.utf8.count
        writeToStandardError("\r" + text + padding)
    }

    mutating func clear() {
        guard isShown, width > 0 else { return }
        writeToStandardError("\r" + String(repeating: " ", count: width) + "\r")
        width = 0
    }
}
