import Glibc
import Logging
import Platform
import SystemPackage

/// Answers `--metrics`, one connection after the other, on a thread of its own.
///
/// Each is given a second to ask and one to take its answer: who is slow holds up other scrapers that long
/// and no request of the file system at all.
final class MetricsServer: Sendable {
    private static let patienceSeconds = 1.0
    /// Read and thrown away after an answer, so that it is not lost with what was sent beside the question.
    private static let restBytesMax = 65536

    private let socket: MetricsSocket
    private let thread: Thread

    /// - Parameter figures: Read for each scrape.
    init(
        _ socket: MetricsSocket, logger: Logger, figures: @escaping @Sendable () -> MountFigures
    ) {
        self.socket = socket
        let descriptor = socket.descriptor
        thread = Thread(name: "hubfs-metrics") {
            Self.serve(descriptor, logger: logger, figures)
        }
    }

    func close() {
        // Wakes accept, which ends with EINVAL.
        shutdown(socket.descriptor.rawValue, Int32(SHUT_RDWR))
        thread.join()
        socket.close()
    }

    private static func serve(
        _ socket: FileDescriptor, logger: Logger, _ figures: () -> MountFigures
    ) {
        while true {
            do throws(Errno) {
                let number = try check { Int(accept(socket.rawValue, nil, nil)) }
                let peer = FileDescriptor(rawValue: Int32(number))
                defer { try? peer.close() }
                try peer.closeOnExec()
                try answer(peer, figures)
            } catch .invalidArgument {
                return  // `close` has shut the socket down
            } catch .timedOut, .connectionReset, .brokenPipe, .resourceTemporarilyUnavailable {
                logger.debug("a scraper was too slow, or has gone")
            } catch {
                // Such as too many open files, which passes.
                logger.warning("a scraper's connection is lost: \(error)")
                usleep(100_000)
            }
        }
    }

    private static func answer(
        _ peer: FileDescriptor, _ figures: () -> MountFigures
    ) throws(Errno) {
        let answer: MetricsRequest.Answer
        do throws(Errno) {
            if let head = try receiveHead(peer) {
                answer = MetricsRequest.answer(to: head) { PrometheusText.text(figures()) }
            } else {
                answer = MetricsRequest.plain(
                    "431 Request Header Fields Too Large", "the request is too long")
            }
        } catch .timedOut {
            answer = MetricsRequest.plain("408 Request Timeout", "no request came")
        }
        try send(answer.bytes, to: peer)
        shutdown(peer.rawValue, Int32(SHUT_WR))
        try drain(peer)
    }

    /// - Returns: the head of a request; nil when it is too long.
    private static func receiveHead(_ peer: FileDescriptor) throws(Errno) -> [UInt8]? {
        let deadline = MonotonicInstant.now.advanced(bySeconds: patienceSeconds)
        let end = Array("\r\n\r\n".utf8)
        var head: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 2048)
        while head.count <= MetricsRequest.headBytesMax {
            try ControlSocket.waitToReceive(peer, until: deadline)
            let count = try check { recv(peer.rawValue, &buffer, buffer.count, 0) }
            if count == 0 { throw .connectionReset }
            head += buffer[..<count]
            if let found = head.firstRange(of: end) { return Array(head[..<found.upperBound]) }
        }
        return nil
    }

    private static func send(_ bytes: [UInt8], to peer: FileDescriptor) throws(Errno) {
        let deadline = MonotonicInstant.now.advanced(bySeconds: patienceSeconds)
        var sent = 0
        while sent < bytes.count {
            let left = max(0, deadline.seconds(since: .now))
            var request = pollfd(fd: peer.rawValue, events: Int16(POLLOUT), revents: 0)
            if try check({ Int(poll(&request, 1, Int32(left * 1000))) }) == 0 { throw .timedOut }
            sent += try check {
                bytes[sent...].withUnsafeBytes {
                    Glibc.send(
                        peer.rawValue, $0.baseAddress, $0.count,
                        Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
                }
            }
        }
    }

    private static func drain(_ peer: FileDescriptor) throws(Errno) {
        let deadline = MonotonicInstant.now.advanced(bySeconds: patienceSeconds)
        var buffer = [UInt8](repeating: 0, count: 4096)
        var drained = 0
        while drained < restBytesMax {
            try ControlSocket.waitToReceive(peer, until: deadline)
            let count = try check { recv(peer.rawValue, &buffer, buffer.count, 0) }
            if count == 0 { return }
            drained += count
        }
    }
}
