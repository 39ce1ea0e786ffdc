extension HubClient {
    /// Fetches a whole small content into memory; `completion` is called on a transfer thread.
    ///
    /// - Parameter byteCountMax: A larger content is refused without asking for it.
    @discardableResult
    package func download(
        _ location: ContentLocation, byteCountMax: UInt64 = 8 << 20,
        completion: @escaping @Sendable (Result<[UInt8], HubError>) -> Void
    ) -> (any Fetch)? {
        guard location.size <= byteCountMax else {
            let url = routes?.content(location)?.withoutQuery ?? configuration.endpoint
            let reason = "the file has \(location.size) bytes, over the limit of \(byteCountMax)"
            runOnTransferThread { completion(.failure(.malformed(url: url, reason: reason))) }
            return nil
        }
        // There is no range in an empty file.
        guard location.size > 0 else {
            runOnTransferThread { completion(.success([])) }
            return nil
        }
        return fetch(
            location, range: 0..<location.size, priority: .demand,
            into: WholeContent(completion: completion))
    }
}

/// Collects one content.
///
/// `@unchecked Sendable`: a receiver's calls never overlap.
private final class WholeContent: ContentReceiver, @unchecked Sendable {
    private var bytes: [UInt8] = []
    private let completion: @Sendable (Result<[UInt8], HubError>) -> Void

    init(completion: @escaping @Sendable (Result<[UInt8], HubError>) -> Void) {
        self.completion = completion
    }

    func receive(_ piece: UnsafeRawBufferPointer, at offset: UInt64) -> Bool {
        bytes.append(contentsOf: piece)
        return true
    }

    func finished(_ result: Result<Void, HubError>) {
        completion(result.map { bytes })
    }
}
