import Glibc
import Platform
import SystemPackage

/// The socket on which `--metrics` is answered.
struct MetricsSocket {
    let descriptor: FileDescriptor
    /// Of a socket in the file system; nil for a port.
    private let file: FilePath?
    /// Its inode, so that a successor's is not removed.
    private let inode: UInt64

    private static let waitingCountMax: Int32 = 16

    /// Listens. A socket in the file system that nobody answers any more is replaced; nothing else is.
    ///
    /// - Throws: `Failure` when somebody else has the address.
    init(_ address: MetricsAddress) throws(Failure) {
        do throws(Errno) {
            switch address.place {
            case .file(let path):
                let file = FilePath(path)
                try Self.makeRoom(at: file)
                descriptor = try ControlSocket.listen(at: file)
                self.file = file
                inode = Self.socketInode(of: file) ?? 0
            case .loopback(let host, let port):
                var address = sockaddr_in()
                address.sin_family = sa_family_t(AF_INET)
                address.sin_addr.s_addr = host.bigEndian
                address.sin_port = port.bigEndian
                descriptor = try Self.listen(AF_INET, &address)
                (file, inode) = (nil, 0)
            case .loopback6(let port):
                var address = sockaddr_in6()
                address.sin6_family = sa_family_t(AF_INET6)
                address.sin6_addr = in6addr_loopback
                address.sin6_port = port.bigEndian
                descriptor = try Self.listen(AF_INET6, &address)
                (file, inode) = (nil, 0)
            }
        } catch {
            let code: ExitCode = error == .addressInUse ? .busy : .failure
            throw Failure(code, "--metrics \(address) cannot be answered: \(error)")
        }
    }

    func close() {
        if let file, Self.socketInode(of: file) == inode { unlink(file.string) }
        try? descriptor.close()
    }

    /// - Throws: `.addressInUse` for what is no socket, or answers.
    private static func makeRoom(at file: FilePath) throws(Errno) {
        guard let found = try? FileFacts(file, followsLinks: false) else { return }
        guard found.isSocket else { throw .addressInUse }
        do throws(Errno) {
            let peer = try ControlSocket.connect(to: file)
            try? peer.close()
        } catch .connectionRefused {
            return
        }
        throw .addressInUse
    }

    private static func listen<Address>(
        _ family: Int32, _ address: inout Address
    ) throws(Errno) -> FileDescriptor {
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let number = Int32(try check { Int(socket(family, kind, 0)) })
        let made = FileDescriptor(rawValue: number)
        do throws(Errno) {
            var yes: Int32 = 1
            setsockopt(number, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
            let size = socklen_t(MemoryLayout<Address>.size)
            let status = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(number, $0, size) }
            }
            try check { Int(status) }
            try check { Int(Glibc.listen(number, waitingCountMax)) }
            return made
        } catch {
            try? made.close()
            throw error
        }
    }

    private static func socketInode(of file: FilePath) -> UInt64? {
        let found = try? FileFacts(file, followsLinks: false)
        return found?.isSocket == true ? found?.inode : nil
    }
}
