import Glibc
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import Platform
package import SystemPackage

/// The plugin's socket, served.
package final class DockerPlugin: Sendable {
    private let task: Task<Void, any Error>
    private let socket: FilePath

    private init(_ task: Task<Void, any Error>, _ socket: FilePath) {
        self.task = task
        self.socket = socket
    }

    /// Returns when Docker can connect.
    ///
    /// - Parameter socket: Its folders are made when they are missing. A socket there that nobody serves is
    ///   replaced.
    /// - Throws: `PluginSocketError`, or an error of the socket.
    package static func start(
        _ volumes: VolumeRegistry, at socket: FilePath
    ) async throws -> DockerPlugin {
        try PluginSocket.prepare(socket)
        let (ready, continuation) = AsyncThrowingStream.makeStream(of: Void.self)
        let responder = DockerResponder(volumes: volumes)
        // Hummingbird takes a connection that breaks for an error; here it is Docker's end.
        var logger = Logger(label: "hubfs.docker.socket")
        logger.logLevel = .critical
        let server = Server(
            childChannelSetup: HTTP1Channel(responder: { request, writer, _ in
                try await responder.respond(request, writer)
            }),
            configuration: ServerConfiguration(
                address: .unixDomainSocket(path: socket.string), backlog: 128),
            onServerRunning: { _ in continuation.yield(()) },
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: logger)
        let task = Task {
            do {
                try await server.run()
                continuation.finish()
            } catch {
                continuation.finish(throwing: error)
                throw error
            }
        }
        for try await _ in ready {
            try check { Int(chmod(socket.string, 0o600)) }
            return DockerPlugin(task, socket)
        }
        throw PluginSocketError.notListening(path: socket.string)
    }

    /// Stops listening and cuts the connections. Mounts go on.
    package func stop() async {
        task.cancel()
        _ = await task.result
        unlink(socket.string)
    }
}
