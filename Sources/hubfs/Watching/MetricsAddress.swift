import ArgumentParser
import Glibc

/// Where `--metrics` answers: `unix:PATH`, or a port of this machine's own, `127.0.0.1:9464`.
///
/// What is told there names mounts and repos, and asks nobody who they are: addresses that other machines
/// reach are refused. A proxy that asks can stand before it.
struct MetricsAddress: ExpressibleByArgument, Hashable, Sendable, CustomStringConvertible {
    enum Place: Hashable, Sendable {
        case file(String)
        /// 127.0.0.0/8, in host byte order.
        case loopback(in_addr_t, port: UInt16)
        /// `[::1]`
        case loopback6(port: UInt16)
    }

    let place: Place

    init?(argument: String) {
        if argument.hasPrefix("unix:") {
            let path = String(argument.dropFirst(5))
            guard !path.isEmpty else { return nil }
            place = .file(path)
            return
        }
        guard let colon = argument.lastIndex(of: ":"),
            let port = UInt16(argument[argument.index(after: colon)...])
        else { return nil }
        switch argument[..<colon] {
        case "localhost": place = .loopback(0x7f00_0001, port: port)
        case "[::1]": place = .loopback6(port: port)
        case let host:
            var address = in_addr()
            guard inet_pton(AF_INET, String(host), &address) == 1 else { return nil }
            let number = in_addr_t(bigEndian: address.s_addr)
            guard number >> 24 == 127 else { return nil }
            place = .loopback(number, port: port)
        }
    }

    private init(_ place: Place) { self.place = place }

    /// With a path that holds from any folder.
    var whole: MetricsAddress {
        if case .file(let path) = place { MetricsAddress(.file(absolutePath(path))) } else { self }
    }

    var description: String {
        switch place {
        case .file(let path): "unix:" + path
        case .loopback(let address, let port):
            "127.\(UInt8(truncatingIfNeeded: address >> 16))."
                + "\(UInt8(truncatingIfNeeded: address >> 8))."
                + "\(UInt8(truncatingIfNeeded: address)):\(port)"
        case .loopback6(let port): "[::1]:\(port)"
        }
    }
}
