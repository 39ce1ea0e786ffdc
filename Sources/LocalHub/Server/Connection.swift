import Glibc
import NIOCore
import NIOHTTPTypes
import Synchronization

/// One client's TCP connection: how fast it is, whether the client is still there, and how to
/// break it.
final class Connection: Sendable {
    enum Failure: Error {
        /// We broke the connection, as a fault asked.
        case brokenOnPurpose
    }

    private struct State {
        var pace = LinkPace()
        var isGone = false
        var waiters: [CheckedContinuation<Void, Never>] = []
        var listeners: [@Sendable () -> Void] = []
    }

    private let channel: any Channel
    private let state = Mutex(State())

    init(channel: any Channel) {
        self.channel = channel
    }

    /// Whether the client runs on this machine.
    var isFromLoopback: Bool {
        guard let address = channel.remoteAddress?.ipAddress else { return false }
        return address == "::1" || address.hasPrefix("127.") || address.hasPrefix("::ffff:127.")
    }

    // MARK: The link

    /// Waits as long as a request's first byte takes over such a link.
    func waitForFirstByte(_ link: Link) async throws {
        let start = state.withLock { $0.pace.begin(link, now: .now) }
        try await Task.sleep(until: start, clock: .continuous)
    }

    /// Waits until the link has room for that many bytes of a body.
    func waitForRoom(_ count: Int, _ link: Link) async throws {
        let ready = state.withLock { $0.pace.pass(count, link, now: .now) }
        try await Task.sleep(until: ready, clock: .continuous)
    }

    // MARK: Breaking it

    /// Waits until everything written so far is with the kernel.
    func flush() async throws {
        try await channel.writeAndFlush(HTTPResponsePart.body(ByteBuffer())).get()
    }

    /// Ends the connection in order: the client sees the end of the stream.
    func close() async throws {
        try? await channel.close().get()
        throw Failure.brokenOnPurpose
    }

    /// Ends the connection with RST.
    func reset() async throws {
        if let socket = channel as? any SocketOptionProvider {
            try await socket.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
        }
        try await close()
    }

    /// Waits for the client, or this server, to give up; then ends the connection.
    func stall() async throws {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isGone = state.withLock { state in
                    if !state.isGone { state.waiters.append(continuation) }
                    return state.isGone
                }
                if isGone { continuation.resume() }
            }
        } onCancel: {
            clientIsGone()
        }
        try await close()
    }

    /// Runs `body` once the client is gone.
    func whenGone(_ body: @escaping @Sendable () -> Void) {
        let isGone = state.withLock { state in
            if !state.isGone { state.listeners.append(body) }
            return state.isGone
        }
        if isGone { body() }
    }

    /// The client closed its side, or the connection is no more.
    func clientIsGone() {
        let (waiters, listeners) = state.withLock { state in
            state.isGone = true
            defer { (state.waiters, state.listeners) = ([], []) }
            return (state.waiters, state.listeners)
        }
        for waiter in waiters { waiter.resume() }
        for listener in listeners { listener() }
    }
}

/// Tells the connection when the client's side ends, which nobody reads while an answer stalls.
final class ClientWatch: ChannelInboundHandler, RemovableChannelHandler, Sendable {
    typealias InboundIn = HTTPRequestPart

    private let connection: Connection

    init(_ connection: Connection) {
        self.connection = connection
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed {
            connection.clientIsGone()
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        connection.clientIsGone()
        context.fireChannelInactive()
    }
}
