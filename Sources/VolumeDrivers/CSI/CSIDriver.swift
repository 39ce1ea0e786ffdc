import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Glibc
package import Logging
import Platform
package import SystemPackage

/// The driver's socket, served.
package final class CSIDriver: Sendable {
    /// Calls that are under way at the end have this time.
    private static let grace = Duration.seconds(2)

    private let server: GRPCServer<HTTP2ServerTransport.Posix>
    private let task: Task<Void, any Error>
    private let socket: FilePath

    private init(
        _ server: GRPCServer<HTTP2ServerTransport.Posix>, _ task: Task<Void, any Error>,
        _ socket: FilePath
    ) {
        self.server = server
        self.task = task
        self.socket = socket
    }

    /// Returns when Kubernetes can connect.
    ///
    /// - Parameters:
    ///   - name: What CSIDriver objects and volumes call the driver.
    ///   - nodeID: What Kubernetes calls this machine.
    ///   - socket: Its folders are made when they are missing. A socket there that nobody serves is replaced.
    /// - Throws: `PluginSocketError`, or an error of the socket.
    package static func start(
        _ volumes: PublishedVolumes, name: String, nodeID: String, at socket: FilePath,
        logger: Logger
    ) async throws -> CSIDriver {
        try PluginSocket.prepare(socket)
        let transport = HTTP2ServerTransport.Posix(
            address: .unixDomainSocket(path: socket.string), transportSecurity: .plaintext)
        let server = GRPCServer(
            transport: transport,
            services: [
                IdentityService(name: name, volumes: volumes),
                NodeService(nodeID: nodeID, volumes: volumes, logger: logger),
            ])
        let task = Task { try await server.serve() }
        _ = try await transport.listeningAddress
        try check { Int(chmod(socket.string, 0o600)) }
        return CSIDriver(server, task, socket)
    }

    /// Stops listening, and cuts the connections after a moment. Mounts go on.
    package func stop() async {
        server.beginGracefulShutdown()
        let end = Task<Void, Never> { [task] in _ = await task.result }
        if await end.value(until: .now + Self.grace) == nil { task.cancel() }
        _ = await task.result
        unlink(socket.string)
    }
}
