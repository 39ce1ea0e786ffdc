import Glibc
import Platform
import SystemPackage

/// The lines of a long answer, as they are sent. Waits for a reader that is slow, but not for ever.
struct ControlLineWriter {
    private let socket: FileDescriptor

    /// A reader of ours takes the lines as fast as they come.
    private static let patienceSeconds = 30

    /// - Parameter socket: Of a peer that waits for an answer.
    init(_ socket: FileDescriptor) throws(Errno) {
        self.socket = socket
        var patience = timeval(tv_sec: Self.patienceSeconds, tv_usec: 0)
        let length = socklen_t(MemoryLayout.size(ofValue: patience))
        try check {
            Int(setsockopt(socket.rawValue, SOL_SOCKET, SO_SNDTIMEO, &patience, length))
        }
    }

    /// - Throws: `.resourceTemporarilyUnavailable` when the reader takes nothing for too long.
    func send(_ line: String) throws(Errno) {
        precondition(line.utf8.count <= ControlSocket.lineBytesMax, "long answers are many lines")
        let bytes = Array((line + "\n").utf8)
        var sent = 0
        while sent < bytes.count {
            sent += try check {
                bytes[sent...].withUnsafeBytes { rest in
                    Glibc.send(socket.rawValue, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
                }
            }
        }
    }
}

/// The lines of a long answer, as they are received.
struct ControlLineReader {
    private let socket: FileDescriptor
    private var received: [UInt8] = []
    private var start = 0

    init(_ socket: FileDescriptor) { self.socket = socket }

    /// - Returns: the next line without its newline; nil when the connection ended or the line is too
    ///   long.
    /// - Throws: `.timedOut`.
    mutating func next(until deadline: MonotonicInstant) throws(Errno) -> [UInt8]? {
        var searched = start
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            if let end = received[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                defer { start = end + 1 }
                return Array(received[start..<end])
            }
            received.removeFirst(start)
            start = 0
            searched = received.count
            guard searched <= ControlSocket.lineBytesMax else { return nil }
            try ControlSocket.waitToReceive(socket, until: deadline)
            let count = try check { recv(socket.rawValue, &buffer, buffer.count, 0) }
            if count == 0 { return nil }
            received += buffer[..<count]
        }
    }
}
