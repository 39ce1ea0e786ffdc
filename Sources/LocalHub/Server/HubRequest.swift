import Foundation
import HTTPTypes
import HummingbirdCore
import NIOCore

/// A request as the handlers see it.
struct HubRequest: Sendable {
    enum Failure: Error {
        /// The client went away before all of the body was here.
        case bodyCutShort
    }

    let method: HTTPRequest.Method
    let headers: HTTPFields
    /// The path as sent, percent-encoded.
    let path: String
    /// The query as sent, without `?`; nil if there was none.
    let rawQuery: String?
    let query: [(name: String, value: String)]
    let traffic: TrafficClass
    let plan: FaultPlan

    private let body: RequestBody
    private let connection: Connection
    private let counters: Counters

    init(
        _ request: Request, traffic: TrafficClass, plan: FaultPlan, connection: Connection,
        counters: Counters
    ) {
        method = request.method
        headers = request.headers
        (path, rawQuery) = Self.split(request.head.path ?? "/")
        query = rawQuery.map { URLText.pairs($0) } ?? []
        self.traffic = traffic
        self.plan = plan
        self.body = request.body
        self.connection = connection
        self.counters = counters
    }

    func whenClientIsGone(_ body: @escaping @Sendable () -> Void) { connection.whenGone(body) }

    static func split(_ target: String) -> (path: String, query: String?) {
        guard let mark = target.firstIndex(of: "?") else { return (target, nil) }
        return (String(target[..<mark]), String(target[target.index(after: mark)...]))
    }

    /// The first value of a query parameter.
    func parameter(_ name: String) -> String? {
        query.first { $0.name == name }?.value
    }

    /// All values of a parameter that may be repeated, also spelt `name[]`.
    func parameters(_ name: String) -> [String] {
        query.filter { $0.name == name || $0.name == name + "[]" }.map(\.value)
    }

    func flag(_ name: String) -> Bool {
        ["true", "1"].contains(parameter(name)?.lowercased())
    }

    /// The request's own URL with another value of a parameter, for `Link: rel="next"`. Clients
    /// follow it as it is, so it is absolute.
    func url(_ endpoint: String, replacing name: String, with value: String) -> String {
        let pairs = query.filter { $0.name != name } + [(name, value)]
        let text = pairs.map { URLText.encode($0.name) + "=" + URLText.encode($0.value) }
        return endpoint + path + "?" + text.joined(separator: "&")
    }

    var contentLength: Int? {
        headers[.contentLength].flatMap { Int($0) }
    }

    // MARK: The body

    /// Hands on the body as it comes; the client is not read faster than `visit` returns.
    ///
    /// - Throws: `Failure.bodyCutShort` if the connection ended before the body did.
    func forEachPiece(_ visit: (ByteBuffer) async throws -> Void) async throws {
        var count = 0
        var iterator = body.makeAsyncIterator()
        while let piece = try await next(of: &iterator) {
            count += piece.readableBytes
            if case .resetUpload(let byte) = plan.ending, count >= byte {
                try await connection.reset()
            }
            counters.countReceived(piece.readableBytes, traffic)
            if let link = plan.link {
                try await connection.waitForRoom(piece.readableBytes, link)
            }
            try await visit(piece)
        }
        if let contentLength, count != contentLength { throw Failure.bodyCutShort }
    }

    /// Bytes of one lot, at least; the last is smaller.
    private static let lotByteCount = 1 << 20

    /// Hands on the body in lots of several pieces, for a visit on another thread: going there for
    /// each piece costs more than the visit.
    func forEachLot(_ visit: ([ByteBuffer]) async throws -> Void) async throws {
        var lot: [ByteBuffer] = []
        var byteCount = 0
        try await forEachPiece { piece in
            lot.append(piece)
            byteCount += piece.readableBytes
            guard byteCount >= Self.lotByteCount else { return }
            try await visit(lot)
            lot.removeAll(keepingCapacity: true)
            byteCount = 0
        }
        if !lot.isEmpty { try await visit(lot) }
    }

    private func next(of iterator: inout RequestBody.AsyncIterator) async throws -> ByteBuffer? {
        do {
            return try await iterator.next()
        } catch let error as CancellationError {
            throw error
        } catch {
            // Whatever the HTTP decoder says of it, the stream ended where a body has no end.
            throw Failure.bodyCutShort
        }
    }

    /// The whole body.
    ///
    /// - Throws: `Refusal.tooLarge` beyond `max` bytes.
    func collect(max: Int) async throws -> [UInt8] {
        if let contentLength, contentLength > max {
            throw Refusal.tooLarge("The body is larger than \(max) bytes.")
        }
        var bytes: [UInt8] = []
        try await forEachPiece { piece in
            guard bytes.count + piece.readableBytes <= max else {
                throw Refusal.tooLarge("The body is larger than \(max) bytes.")
            }
            bytes += piece.readableBytesView
        }
        return bytes
    }

    /// A JSON body.
    ///
    /// - Throws: `Refusal.unprocessable` if it is not of that shape.
    func json<Body: Decodable>(_ type: Body.Type, max: Int = 4 << 20) async throws -> Body {
        let bytes = try await collect(max: max)
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch {
            throw Refusal.unprocessable("Invalid body: \(error)")
        }
    }
}
