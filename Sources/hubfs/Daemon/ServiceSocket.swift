import Glibc
import Platform
import SystemPackage

/// Where a service manager hears from its service. Source: man 3 sd_notify.
struct ServiceSocket: Sendable {
    private let path: String

    /// - Returns: nil when nobody listens: `NOTIFY_SOCKET` is not set, or names no socket in the file
    ///   system and none that is abstract.
    init?(_ environment: Environment) {
        guard let path = environment["NOTIFY_SOCKET"], path.hasPrefix("/") || path.hasPrefix("@")
        else { return nil }
        self.path = path
    }

    /// Sends one message, without waiting for its reader: it is worth less than the mount.
    ///
    /// - Parameter assignments: `NAME=value`, without newlines in them.
    func send(_ assignments: [String]) throws(Errno) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var name = Array(path.utf8)
        // An abstract name begins with a zero byte; its length is told, not marked by another.
        if path.hasPrefix("@") { name[0] = 0 }
        guard name.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw .fileNameTooLong
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
        let kind = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let socket = CInt(try check { Int(Glibc.socket(AF_UNIX, kind, 0)) })
        defer { close(socket) }
        let message = Array(assignments.joined(separator: "\n").utf8)
        let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
        let code: Errno? = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                do throws(Errno) {
                    try check { sendto(socket, message, message.count, flags, pointer, length) }
                    return nil
                } catch {
                    return error
                }
            }
        }
        if let code { throw code }
    }
}
