import Foundation
import HummingbirdCore
package import Logging
import NIOCore
import NIOPosix
import Synchronization

/// A running Hub: its own listener and the CDN's, on free ports unless told otherwise.
package final class LocalHubServer: Sendable {
    package struct Options: Sendable {
        package var host = "127.0.0.1"
        /// 0 takes a free one.
        package var port = 0
        /// Not the Hub's host, even if it is the same machine: clients tell the two apart by name.
        package var cdnHost = "localhost"
        package var cdnPort = 0
        /// `scheme://host[:port]` of another server that hands out the same objects at the same
        /// paths; nil leaves that to the CDN listener.
        package var downloadOrigin: String?
        /// How long CDN and upload URLs live.
        package var urlLifetimeSeconds = 3600
        /// Entries of a tree page at most.
        package var pageSizeMax = 1000
        /// Which LFS objects come in parts.
        package var parts = PartRule()
        /// Requests per five minutes for `api`, `resolvers` and `pages`; no limit where left out.
        package var quotas: [String: Int] = [:]
        /// Whether files are offered by Xet too, and what is particular about it.
        package var xet: XetOptions?

        package init() {}
    }

    package enum Failure: Error {
        /// A listener ended before it had a port.
        case notListening(host: String)
    }

    package let hub: Hub
    package let faults: FaultBoard
    package let counters: Counters

    private let addresses: Addresses
    private let blocking: Blocking
    private let xet: XetService?
    private let listeners: Mutex<[Task<Void, any Error>]>

    /// `http://127.0.0.1:PORT`
    package var endpoint: String { addresses.endpoint }
    /// `http://localhost:PORT`
    package var cdnEndpoint: String { addresses.cdnEndpoint }

    private init(service: HubService, listeners: [Task<Void, any Error>]) {
        hub = service.hub
        faults = service.faults
        counters = service.counters
        addresses = service.addresses
        blocking = service.blocking
        xet = service.xet
        self.listeners = Mutex(listeners)
    }

    /// Opens the folder and returns when both listeners accept connections.
    ///
    /// - Throws: an error of the folder, the database or the sockets.
    package static func start(
        root: String, options: Options = Options(), logger: Logger? = nil
    ) async throws -> LocalHubServer {
        let logger = logger ?? Logger(label: "localhub")
        let hub = try Hub(root: root)
        try hub.folder.removeLeftovers()
        let key = try hub.registry.urlKey()
        let service = HubService(
            hub: hub, blocking: Blocking(), signer: URLSigner(key: key),
            faults: FaultBoard(), counters: Counters(),
            addresses: Addresses(downloadOrigin: options.downloadOrigin),
            urlLifetimeSeconds: options.urlLifetimeSeconds, pageSizeMax: options.pageSizeMax,
            parts: options.parts, multipart: MultipartStore(incoming: hub.folder.incoming),
            xet: options.xet.map { XetService(hub: hub, key: key, options: $0) })
        let quotas = options.quotas.compactMap { name, quota in
            RateLimits.Bucket(rawValue: name).map { ($0, quota) }
        }
        let limits = RateLimits(quotas: Dictionary(uniqueKeysWithValues: quotas))

        let web = try await listen(
            .init(listener: .hub, service: service, limits: limits, logger: logger),
            options.host, options.port)
        let cdn: Listening
        do {
            cdn = try await listen(
                .init(listener: .cdn, service: service, limits: limits, logger: logger),
                options.cdnHost, options.cdnPort)
        } catch {
            web.task.cancel()
            throw error
        }
        service.addresses.set(
            endpoint: url(options.host, web.port), cdn: url(options.cdnHost, cdn.port))
        let server = LocalHubServer(service: service, listeners: [web.task, cdn.task])
        try RunFile(endpoint: server.endpoint, cdn: server.cdnEndpoint)
            .write(to: hub.folder.runFile)
        return server
    }

    /// Ends all connections at once, whatever they are waiting for, and the listeners. Followers of buckets are told first.
    package func stop() async {
        let tasks = listeners.withLock { tasks in
            defer { tasks = [] }
            return tasks
        }
        guard !tasks.isEmpty else { return }
        await xet?.feeds?.close()
        for task in tasks { task.cancel() }
        for task in tasks { _ = await task.result }
        blocking.stop()
        xet?.conversions.stop()
        hub.engine.readers.dropAll()
        try? FileManager.default.removeItem(atPath: hub.folder.runFile)
    }

    // MARK: Listeners

    private struct Listening {
        let task: Task<Void, any Error>
        let port: Int
    }

    private static func listen(
        _ responder: HubResponder, _ host: String, _ port: Int
    ) async throws -> Listening {
        let (ports, continuation) = AsyncThrowingStream.makeStream(of: Int.self)
        // The name may also mean ::1; a client that tries that first goes on to the next address.
        let address = host == "localhost" ? "127.0.0.1" : host
        let server = Server(
            childChannelSetup: HubChannel(counters: responder.service.counters) {
                try await responder.respond($0, $1, $2)
            },
            configuration: ServerConfiguration(
                address: .hostname(address, port: port), backlog: 4096),
            onServerRunning: { channel in
                continuation.yield(channel.localAddress?.port ?? port)
            },
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: listenerLogger())
        let task = Task {
            do {
                try await server.run()
                continuation.finish()
            } catch {
                continuation.finish(throwing: error)
                throw error
            }
        }
        for try await port in ports { return Listening(task: task, port: port) }
        throw Failure.notListening(host: host)
    }

    private static func url(_ host: String, _ port: Int) -> String {
        host.contains(":") ? "http://[\(host)]:\(port)" : "http://\(host):\(port)"
    }

    /// Hummingbird logs each connection that breaks and the cancellation that stops a listener as
    /// errors; here both are everyday.
    private static func listenerLogger() -> Logger {
        var logger = Logger(label: "localhub.listener")
        logger.logLevel = .critical
        return logger
    }
}
