import Platform

/// One line on the terminal that is written over: step, bytes, rate and time left.
struct ProgressLine {
    private let isShown: Bool
    private let start = MonotonicInstant.now
    private var step = ""
    private var stepStart = MonotonicInstant.now
    private var width = 0

    init(isShown: Bool) { self.isShown = isShown }

    mutating func show(_ status: EditStatus) {
        guard isShown else { return }
        if status.step != step {
            step = status.step
            stepStart = .now
        }
        var text = status.progressText
        if status.totalBytes > 0 {
            let seconds = max(MonotonicInstant.now.seconds(since: stepStart), 0.1)
            let rate = Double(status.doneBytes) / seconds
            text += ", \(readableSize(UInt64(rate)))/s"
            if rate > 0, status.totalBytes > status.doneBytes {
                let left = Double(status.totalBytes - status.doneBytes) / rate
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
