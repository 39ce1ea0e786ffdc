import Glibc
import Platform
import SystemPackage

/// A stream socket in the file system, and the lines that go over it. Source: man 7 unix.
enum ControlSocket {
    /// Longest line of either side, in bytes.
    static let lineBytesMax = 65536

    /// Listens at `path`. A socket left there by a daemon that died is replaced.
    static func listen(at path: FilePath) throws(Errno) -> FileDescriptor {
        let socket = try make()
        do throws(Errno) {
            _ = unlink(path.string)
            try withAddress(of: path) { address, length throws(Errno) in
                try check { Int(bind(socket.rawValue, address, length)) }
            }
            try check { Int(chmod(path.string, 0o600)) }
            try check { Int(Glibc.listen(socket.rawValue, 16)) }
            return socket
        } catch {
            try? socket.close()
            throw error
        }
    }

    /// Connects without waiting.
    ///
    /// - Throws: `.connectionRefused` when nobody listens any more, `.resourceTemporarilyUnavailable`
    ///   when a daemon does not take connections.
    static func connect(to path: FilePath) throws(Errno) -> FileDescriptor {
        let socket = try make(isNonblocking: true)
        do throws(Errno) {
            try withAddress(of: path) { address, length throws(Errno) in
                try check { Int(Glibc.connect(socket.rawValue, address, length)) }
            }
            return socket
        } catch {
            try? socket.close()
            throw error
        }
    }

    /// The user at the other end.
    static func peerUser(_ socket: FileDescriptor) throws(Errno) -> uid_t {
        try peer(socket).user
    }

    /// Who is at the other end: who has connected, or who listens. Source: man 7 unix, SO_PEERCRED.
    static func peer(
        _ socket: FileDescriptor
    ) throws(Errno) -> (process: pid_t, user: uid_t) {
        /// struct ucred, hidden behind _GNU_SOURCE.
        var credentials: (pid: pid_t, uid: uid_t, gid: gid_t) = (0, uid_t.max, gid_t.max)
        var length = socklen_t(MemoryLayout.size(ofValue: credentials))
        try check {
            Int(getsockopt(socket.rawValue, SOL_SOCKET, SO_PEERCRED, &credentials, &length))
        }
        return (credentials.pid, credentials.uid)
    }

    /// Sends a line. It fits into the socket's buffer, so this does not wait for the reader.
    static func send(_ line: String, over socket: FileDescriptor) throws(Errno) {
        let bytes = Array((line + "\n").utf8)
        let sent = try check {
            Glibc.send(socket.rawValue, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        }
        // Only a peer that does not read, and has a full buffer, leaves something over.
        if sent < bytes.count { throw .resourceTemporarilyUnavailable }
    }

    /// Receives a line, without its newline.
    ///
    /// - Returns: nil when the connection ended or the line is too long.
    /// - Throws: `.timedOut`.
    static func receiveLine(
        from socket: FileDescriptor, until deadline: MonotonicInstant
    ) throws(Errno) -> [UInt8]? {
        var line: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while line.count <= lineBytesMax {
            try waitToReceive(socket, until: deadline)
            let count = try check { recv(socket.rawValue, &buffer, buffer.count, 0) }
            if count == 0 { return nil }
            line += buffer[..<count]
            if let end = line.firstIndex(of: UInt8(ascii: "\n")) { return Array(line[..<end]) }
        }
        return nil
    }

    /// Waits until there is something to receive, or the other side has closed.
    ///
    /// - Throws: `.timedOut`. What has arrived before the deadline is always found.
    static func waitToReceive(
        _ socket: FileDescriptor, until deadline: MonotonicInstant
    ) throws(Errno) {
        let left = max(0, deadline.seconds(since: .now))
        var request = pollfd(fd: socket.rawValue, events: Int16(POLLIN), revents: 0)
        let ready = try check { Int(poll(&request, 1, Int32((left * 1000).rounded(.up)))) }
        if ready == 0 { throw .timedOut }
    }

    private static func make(isNonblocking: Bool = false) throws(Errno) -> FileDescriptor {
        let kind =
            Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
            | (isNonblocking ? Int32(SOCK_NONBLOCK.rawValue) : 0)
        return FileDescriptor(rawValue: Int32(try check { Int(socket(AF_UNIX, kind, 0)) }))
    }

    /// Calls `body` with the address of a path of any length: an address holds 107 bytes only, so
    /// the folder is named by an open descriptor of it.
    private static func withAddress(
        of path: FilePath,
        _ body: (UnsafePointer<sockaddr>, socklen_t) throws(Errno) -> Void
    ) throws(Errno) {
        let folderPath = path.removingLastComponent().string
        let folder = try check { Int(open(folderPath, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) }
        defer { close(Int32(folder)) }
        let name = "/proc/self/fd/\(folder)/\(path.lastComponent?.string ?? "")"
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let capacity = MemoryLayout.size(ofValue: address.sun_path)
        guard name.utf8.count < capacity else { throw .fileNameTooLong }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name.utf8) }
        let length = socklen_t(MemoryLayout<sockaddr_un>.size)
        let failure: Errno? = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                do throws(Errno) {
                    try body(pointer, length)
                    return nil
                } catch {
                    return error
                }
            }
        }
        if let failure { throw failure }
    }
}
