import HummingbirdCore
import Logging
import NIOCore
import NIOHTTPTypes

/// The server's side of one TCP connection: HTTP/1.1 with our `Connection` beside it.
struct HubChannel: ServerChildChannel {
    typealias Responder =
        @Sendable (Request, consuming ResponseWriter, Connection) async throws -> Void

    struct Value: ServerChildChannelValue {
        let http: HTTP1Channel.Value
        let connection: Connection

        var channel: any Channel { http.channel }
    }

    let counters: Counters
    let responder: Responder

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        let connection = Connection(channel: channel)
        counters.countConnection()
        let configuration = HTTP1Channel.Configuration(
            additionalChannelHandlers: [ClientWatch(connection)])
        let http = HTTP1Channel(responder: { _, _, _ in }, configuration: configuration)
        return http.setup(channel: channel, logger: logger)
            .map { Value(http: $0, connection: connection) }
    }

    func handle(value: Value, logger: Logger) async {
        let responder = responder
        let http = HTTP1Channel(responder: { request, writer, _ in
            try await responder(request, writer, value.connection)
        })
        await http.handle(value: value.http, logger: logger)
    }
}
