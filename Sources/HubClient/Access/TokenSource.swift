import Glibc
import Platform
import SystemPackage

/// An access token. Its description never shows it, so that no log line can.
package struct Token: Hashable, Sendable, CustomStringConvertible, CustomReflectable {
    /// The token itself: for the Authorization header only.
    package let secret: String

    /// - Returns: nil for text that cannot be a header value: empty, or beyond ASCII.
    package init?(_ text: some StringProtocol) {
        let trimmed = String(text.filter { !$0.isWhitespace })
        guard !trimmed.isEmpty, trimmed.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
            return nil
        }
        secret = trimmed
    }

    package var description: String { "hf_…" }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// Where the token comes from.
package protocol TokenSource: Sendable {
    /// The token to use now; nil to ask anonymously.
    var token: Token? { get }
}

/// A token that does not change, or none.
package struct FixedToken: TokenSource {
    package let token: Token?

    package init(_ token: Token?) { self.token = token }
}

/// A token in a file, read again when the file has changed, so that a token can be renewed under a
/// running mount.
package final class TokenFile: TokenSource {
    private struct Version: Hashable {
        var device: UInt64
        var inode: UInt64
        var size: Int
        var seconds: Int
        var nanoseconds: Int
    }

    private struct Known {
        var version: Version?
        var token: Token?
    }

    private let path: String
    private let known = Guarded(Known(), rank: .leaf)

    package init(path: String) { self.path = path }

    package var token: Token? {
        let version = currentVersion()
        let (isFresh, token) = known.withLock { ($0.version == version, $0.token) }
        if isFresh, version != nil { return token }
        let read = version == nil ? nil : readToken(path)
        known.withLock { $0 = Known(version: version, token: read) }
        return read
    }

    private func currentVersion() -> Version? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return Version(
            device: UInt64(status.st_dev), inode: UInt64(status.st_ino), size: status.st_size,
            seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec)
    }
}

/// The token in a file; nil when the file is missing, unreadable or holds no token.
private func readToken(_ path: String) -> Token? {
    guard let file = try? FileDescriptor.open(FilePath(path), .readOnly) else { return nil }
    defer { try? file.close() }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 1)
    defer { buffer.deallocate() }
    guard let count = try? file.readWhole(into: buffer, at: 0) else { return nil }
    return Token(String(decoding: buffer[..<count], as: UTF8.self))
}
