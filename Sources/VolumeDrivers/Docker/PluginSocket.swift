import Glibc
import Platform
package import SystemPackage

/// Why the plugin's socket cannot be served.
package enum PluginSocketError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Somebody serves it.
    case live(path: String)
    /// Something else has the name.
    case noSocket(path: String)
    /// An address holds so many bytes.
    case tooLong(path: String)
    case unusable(path: String, Errno)
    case notListening(path: String)

    package var description: String {
        switch self {
        case .live(let path): "another plugin serves \(path)"
        case .noSocket(let path): "\(path) is there and no socket: remove it, or take another name"
        case .tooLong(let path):
            "the path of the socket is too long, it may have \(PluginSocket.pathBytesMax) bytes: \(path)"
        case .unusable(let path, let code): "\(path) cannot be used: \(code)"
        case .notListening(let path): "nothing could listen at \(path)"
        }
    }
}

/// The name of the plugin's socket in the file system. Source: man 7 unix.
enum PluginSocket {
    /// One less than an address holds, for the zero at its end.
    static let pathBytesMax = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1

    /// Makes the folder, and takes away a socket that nobody serves any more.
    static func prepare(_ path: FilePath) throws(PluginSocketError) {
        guard path.string.utf8.count <= pathBytesMax else { throw .tooLong(path: path.string) }
        let occupant: Occupant
        do throws(Errno) {
            try Folder.create(path.removingLastComponent())
            occupant = try Self.occupant(of: path)
            if occupant == .stale { try Folder.unlink(path) }
        } catch {
            throw .unusable(path: path.string, error)
        }
        switch occupant {
        case .nobody, .stale: return
        case .server: throw .live(path: path.string)
        case .other: throw .noSocket(path: path.string)
        }
    }

    private enum Occupant {
        case nobody
        /// A socket that nobody serves.
        case stale
        case server
        /// Not a socket.
        case other
    }

    private static func occupant(of path: FilePath) throws(Errno) -> Occupant {
        var status = stat()
        guard lstat(path.string, &status) == 0 else { return .nobody }
        guard status.st_mode & S_IFMT == S_IFSOCK else { return .other }
        return try isServed(path) ? .server : .stale
    }

    private static func isServed(_ path: FilePath) throws(Errno) -> Bool {
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let socket = Int32(try check { Int(Glibc.socket(AF_UNIX, kind, 0)) })
        defer { close(socket) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.string.utf8) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        if result == 0 { return true }
        if errno == ECONNREFUSED { return false }
        throw Errno(rawValue: errno)
    }
}
