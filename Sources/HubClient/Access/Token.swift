import Glibc
import Platform

/// An access token. Nothing that describes it shows it, so no log line can.
package struct Token: Hashable, Sendable, CustomStringConvertible, CustomReflectable {
    /// The token itself: for the Authorization header and nothing else.
    package let secret: String

    /// Takes a token as it stands in a variable or file; blanks and line ends around it are dropped.
    ///
    /// - Returns: nil for text that cannot stand in a header: empty, or with blanks or non-ASCII.
    package init?(_ text: some StringProtocol) {
        let trimmed = text.split(whereSeparator: \.isWhitespace)
        guard trimmed.count == 1, trimmed[0].utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            return nil
        }
        secret = String(trimmed[0])
    }

    package var description: String { "(token)" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// Where the token comes from; asked for every request.
package protocol TokenSource: Sendable {
    /// The token to use now, nil to ask anonymously.
    var token: Token? { get }
}

/// A token that does not change, or none.
package struct FixedToken: TokenSource {
    package let token: Token?
    package init(_ token: Token?) { self.token = token }
}

/// A token in a file, read anew when the file has changed, so that it can be renewed under a
/// running mount. A file that is missing or holds no token means none.
package final class TokenFile: TokenSource {
    /// What tells a changed file from the one that was read.
    private struct Stamp: Hashable {
        let device: UInt
        let inode: UInt
        let size: Int
        let seconds: Int
        let nanoseconds: Int
    }

    private let path: String
    private let known = Guarded<(stamp: Stamp?, token: Token?)>((nil, nil))

    /// Longer files hold something else.
    private static let byteCountMax = 4096

    package init(path: String) { self.path = path }

    package var token: Token? {
        let stamp = currentStamp()
        let (knownStamp, knownToken) = known.withLock { $0 }
        if stamp == knownStamp { return knownToken }
        // Stamped before reading: a change in between is seen at the next request.
        let token = stamp == nil ? nil : read()
        known.withLock { $0 = (stamp, token) }
        return token
    }

    private func currentStamp() -> Stamp? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return Stamp(
            device: UInt(status.st_dev), inode: UInt(status.st_ino), size: Int(status.st_size),
            seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec)
    }

    private func read() -> Token? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var buffer = [UInt8](repeating: 0, count: Self.byteCountMax)
        let count = buffer.withUnsafeMutableBytes { Glibc.read(file, $0.baseAddress, $0.count) }
        guard count > 0 else { return nil }
        return Token(String(decoding: buffer[..<count], as: UTF8.self))
    }
}
