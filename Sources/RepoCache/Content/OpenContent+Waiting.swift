import Platform

extension OpenContent {
    /// Reads bytes, and waits for those that are not here: for threads that may wait for the network.
    ///
    /// They are copied before the reader gives its room back, so that a full disk and a full memory
    /// budget do not take them away again.
    ///
    /// - Returns: the number of bytes, less than asked for only at the end of the content; nil when
    ///   they were pushed out again and again.
    package func readWaiting(
        into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
    ) throws(CacheError) -> Int? {
        if let count = readPresent(into: buffer, at: offset) { return count }
        // The caller waits here until the last use of it.
        nonisolated(unsafe) let target = buffer
        for _ in 0..<Self.waitCountMax {
            let answer: Result<Int?, CacheError> = waitForAnswer { completion in
                _ = read(offset: offset, count: target.count) { result in
                    completion(result.map { self.readPresent(into: target, at: offset) })
                }
            }
            if let count = try answer.get() { return count }
        }
        return nil
    }

    private static let waitCountMax = 8
}
