import Synchronization

/// The URLs of both listeners, known once their ports are, and of whoever hands out large files.
final class Addresses: Sendable {
    private let urls = Mutex((endpoint: "", cdn: ""))
    /// Stands in for the CDN listener where contents are fetched.
    private let downloadOrigin: String?

    init(downloadOrigin: String?) { self.downloadOrigin = downloadOrigin }

    var endpoint: String { urls.withLock { $0.endpoint } }
    var cdnEndpoint: String { urls.withLock { $0.cdn } }
    /// Where contents are fetched from: the CDN listener, unless another server does its work.
    var downloadEndpoint: String { downloadOrigin ?? cdnEndpoint }

    func set(endpoint: String, cdn: String) {
        urls.withLock { $0 = (endpoint, cdn) }
    }
}
