/// Starts something that answers by a callback, and waits for the answer.
///
/// For commands and for the start of a mount. Never on a FUSE or transfer thread.
///
/// - Parameter start: Must call its argument exactly once, on any thread, within a bounded time.
package func waitForAnswer<Answer: Sendable>(
    _ start: (@escaping @Sendable (Answer) -> Void) -> Void
) -> Answer {
    let box = Monitor<Answer?>(nil)
    start { answer in box.update { $0 = answer } }
    return box.wait { $0 }!
}
