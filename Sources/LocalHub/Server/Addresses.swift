import Synchronization

/// The URLs of both listeners, known once their ports are.
final class Addresses: Sendable {
    private let urls = Mutex((endpoint: "", cdn: ""))

    var endpoint: String { urls.withLock { $0.endpoint } }
    var cdnEndpoint: String { urls.withLock { $0.cdn } }

    func set(endpoint: String, cdn: String) {
        urls.withLock { $0 = (endpoint, cdn) }
    }
}
