import Foundation
import Synchronization

/// Uploads in parts that have begun and not ended; each is a folder below `incoming`, so that they
/// survive a restart of the server.
final class MultipartStore: Sendable {
    private let incoming: String
    /// The uploads in use; whoever asks for one gets the same object, which guards its file.
    private let open = Mutex<[String: MultipartUpload]>([:])

    /// What the folders' names begin with.
    static let prefix = "multipart-"

    init(incoming: String) {
        self.incoming = incoming
    }

    /// Makes room for an object, and removes uploads whose time is over.
    ///
    /// - Returns: the upload's id.
    func begin(_ about: MultipartUpload.About) throws -> String {
        removeExpired()
        let id = UUID().uuidString.lowercased()
        _ = try MultipartUpload(creating: folder(id), about)
        return id
    }

    /// - Returns: nil if there is no such upload, or its time is over.
    func upload(_ id: String) -> MultipartUpload? {
        guard UUID(uuidString: id) != nil else { return nil }
        return open.withLock { open in
            if let known = open[id], !known.about.isExpired { return known }
            open[id] = nil
            guard let found = MultipartUpload(opening: folder(id)), !found.about.isExpired else {
                return nil
            }
            open[id] = found
            return found
        }
    }

    /// Removes uploads that nobody can end any more: their URLs have expired.
    func removeExpired() {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: incoming)) ?? []
        for name in names where name.hasPrefix(Self.prefix) {
            let id = String(name.dropFirst(Self.prefix.count))
            if MultipartUpload(opening: folder(id))?.about.isExpired ?? false {
                open.withLock { $0[id] = nil }
                try? FileManager.default.removeItem(atPath: folder(id))
            }
        }
    }

    private func folder(_ id: String) -> String {
        "\(incoming)/\(Self.prefix)\(id)"
    }
}
