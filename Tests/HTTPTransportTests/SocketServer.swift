import Glibc
import Platform

/// A loopback port whose connections a test handles itself, down to not reading them.
final class SocketServer: Sendable {
    private struct State {
        var connections: [Int32] = []
        var threads: [Thread] = []
        var isClosed = false
    }

    private let state = Monitor(State())
    private let listener: Int32
    let port: UInt16

    /// - Parameter serve: Has the connection to itself, on a thread of its own. The server closes it.
    init(_ serve: @escaping @Sendable (Int32) -> Void) {
        signal(SIGPIPE, SIG_IGN)
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        // Small, so that little is on its way unseen.
        var byteCount: Int32 = 64 << 10
        setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &byteCount, 4)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = self.listener
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(listener, generic, length) == 0 && listen(listener, 16) == 0
                    && getsockname(listener, generic, &length) == 0
            }
        }
        precondition(isBound, "no loopback port")
        port = UInt16(bigEndian: address.sin_port)
        let accepting = Thread(name: "socket-server") { [self] in acceptAll(serve) }
        state.update { $0.threads.append(accepting) }
    }

    var url: String { "http://127.0.0.1:\(port)" }

    /// Ends every connection and thread.
    func close() {
        let accepting = state.update { state in
            state.isClosed = true
            shutdown(listener, Int32(SHUT_RDWR))
            for connection in state.connections { shutdown(connection, Int32(SHUT_RDWR)) }
            return state.threads.removeFirst()
        }
        accepting.join()
        let (serving, connections) = state.update { ($0.threads, $0.connections) }
        for thread in serving { thread.join() }
        for connection in connections { Glibc.close(connection) }
        Glibc.close(listener)
    }

    private func acceptAll(_ serve: @escaping @Sendable (Int32) -> Void) {
        while true {
            let connection = accept(listener, nil, nil)
            if connection < 0 { return }
            let isOpen = state.update { state in
                if !state.isClosed { state.connections.append(connection) }
                return !state.isClosed
            }
            guard isOpen else {
                Glibc.close(connection)
                return
            }
            let thread = Thread(name: "socket-conn") { serve(connection) }
            state.update { $0.threads.append(thread) }
        }
    }
}

/// Reads up to the empty line after a request's head.
func readHead(_ socket: Int32) -> String {
    var head: [UInt8] = []
    var byte: UInt8 = 0
    while !head.ends(with: Array("\r\n\r\n".utf8)), recv(socket, &byte, 1, 0) == 1 {
        head.append(byte)
    }
    return String(decoding: head, as: UTF8.self)
}

func write(_ text: String, to socket: Int32) {
    _ = Array(text.utf8).withUnsafeBytes { send(socket, $0.baseAddress, $0.count, 0) }
}

extension [UInt8] {
    fileprivate func ends(with end: [UInt8]) -> Bool { suffix(end.count).elementsEqual(end) }
}
