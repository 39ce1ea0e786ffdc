import ArgumentParser
import Foundation
import Glibc
import LocalHub

/// Which running server a command speaks to.
struct ServerOption: ParsableArguments {
    @Option(help: ArgumentHelp("The folder the server serves.", valueName: "dir"))
    var root: String?

    @Option(help: ArgumentHelp("The server's URL, instead of --root.", valueName: "url"))
    var endpoint: String?

    func validate() throws {
        guard (root == nil) != (endpoint == nil) else {
            throw ValidationError("Say which server: either --root or --endpoint.")
        }
    }

    /// - Throws: `ValidationError` if no server runs on the folder.
    func client() throws -> AdminClient {
        let text: String
        if let root {
            let file = HubFolder(root: root).runFile
            guard let run = try? RunFile.read(from: file) else {
                throw ValidationError("No server runs on \(root): there is no \(file).")
            }
            text = run.endpoint
        } else {
            text = endpoint ?? ""
        }
        guard let url = URL(string: text), url.scheme == "http", let host = url.host() else {
            throw ValidationError("'\(text)' is not an http URL.")
        }
        return AdminClient(host: host, port: url.port ?? 80)
    }
}

/// Speaks to a server's admin API: one request, one connection, HTTP/1.1.
struct AdminClient {
    let host: String
    let port: Int

    enum Failure: Error, CustomStringConvertible {
        case unreachable(host: String, port: Int)
        case brokenAnswer
        case refused(String)

        var description: String {
            switch self {
            case .unreachable(let host, let port): "No server answers at \(host):\(port)."
            case .brokenAnswer: "The server's answer ended too early."
            case .refused(let text): "The server refused: \(text)"
            }
        }
    }

    /// - Parameter path: below the admin API: `faults`, `stats`.
    /// - Returns: the body of a successful answer.
    func send(_ method: String, _ path: String, body: Data = Data()) throws -> Data {
        let fd = try connect()
        defer { close(fd) }
        let head = """
            \(method) /_localhub/\(path) HTTP/1.1\r
            Host: \(host):\(port)\r
            Content-Type: application/json\r
            Content-Length: \(body.count)\r
            Connection: close\r
            \r

            """
        let handle = FileHandle(fileDescriptor: fd, closeOnDealloc: false)
        try handle.write(contentsOf: Data(head.utf8) + body)
        let answer = try handle.readToEnd() ?? Data()
        guard let end = answer.range(of: Data("\r\n\r\n".utf8)) else { throw Failure.brokenAnswer }
        let content = answer[end.upperBound...]
        let status = String(decoding: answer.prefix(12), as: UTF8.self).suffix(3)
        guard status == "200" else {
            throw Failure.refused(String(decoding: content, as: UTF8.self))
        }
        return Data(content)
    }

    private func connect() throws -> Int32 {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &list) == 0 else {
            throw Failure.unreachable(host: host, port: port)
        }
        defer { freeaddrinfo(list) }
        var candidate = list
        while let address = candidate?.pointee {
            let fd = socket(address.ai_family, address.ai_socktype, address.ai_protocol)
            if fd >= 0, Glibc.connect(fd, address.ai_addr, address.ai_addrlen) == 0 { return fd }
            if fd >= 0 { close(fd) }
            candidate = address.ai_next
        }
        throw Failure.unreachable(host: host, port: port)
    }
}
