import HTTPTypes
import HummingbirdCore
import NIOCore

/// Puts one answer on the wire: in pieces, at the link's pace, harmed as the faults say, counted.
struct Delivery {
    let connection: Connection
    let plan: FaultPlan
    let traffic: TrafficClass
    let counters: Counters

    /// Bodies are read and sent in pieces of at most this many bytes.
    private static let pieceSize = 512 << 10

    /// - Parameter isHead: the head goes out as for GET, and no body.
    /// - Throws: `Connection.Failure` if a fault broke the connection.
    func send(
        _ answer: Answer, isHead: Bool, by writer: consuming ResponseWriter
    ) async throws {
        var isStream = false
        defer { if case .stream(let stream) = answer.body { stream.end() } }
        if case .stream = answer.body { isStream = true }
        var head = HTTPResponse(status: answer.status, headerFields: answer.headers)
        let isBodiless = answer.status == .notModified || answer.status == .noContent
        let isGzipped = plan.isGzipped && answer.body.count > 0 && !isBodiless && !isHead
        if isGzipped {
            head.headerFields[.contentEncoding] = "gzip"
        } else if !isBodiless && !isStream {
            head.headerFields[.contentLength] = String(answer.body.count)
        }
        counters.countStatus(answer.status.code)
        if isHead || isBodiless || answer.body.count == 0 {
            try await breakOff(before: 0, isEmpty: true)
            return try await writer.writeResponse(head)
        }
        if case .bytes(let buffer) = answer.body, isPlain {
            counters.countSent(buffer.readableBytes, traffic)
            return try await writer.write(response: head, body: ResponseBody(byteBuffer: buffer))
        }
        let bodyWriter = try await writer.writeHead(head)
        try await sendPieces(of: answer.body, isGzipped: isGzipped, by: bodyWriter)
    }

    /// Whether the body goes out as it is.
    private var isPlain: Bool {
        plan.link == nil && plan.corruption == nil && !plan.isGzipped && plan.ending == nil
    }

    // MARK: Bodies in pieces

    private func sendPieces(
        of body: AnswerBody, isGzipped: Bool, by writer: consuming some ResponseBodyWriter
    ) async throws {
        let pieceSize = plan.link?.pieceSize(Self.pieceSize) ?? Self.pieceSize
        var gzip = GzipEncoder()
        var sent = 0
        try await breakOff(before: sent, isEmpty: false)
        var source = PieceSource(body)
        if isGzipped {
            try await writer.write(ByteBuffer(bytes: GzipEncoder.head))
            counters.countSent(GzipEncoder.head.count, traffic)
        }
        while var piece = try await source.next(max: room(after: sent, pieceSize)) {
            corrupt(&piece, at: sent)
            sent += piece.readableBytes
            if let link = plan.link {
                try await connection.waitForRoom(piece.readableBytes, link)
            }
            if isGzipped { piece = ByteBuffer(bytes: gzip.encode(piece.readableBytesView)) }
            counters.countSent(piece.readableBytes, traffic)
            try await writer.write(piece)
            try await breakOff(before: sent, isEmpty: false)
        }
        if isGzipped {
            let end = gzip.finish()
            counters.countSent(end.count, traffic)
            try await writer.write(ByteBuffer(bytes: end))
        }
        try await writer.finish(nil)
    }

    /// The size of the next piece: none reaches over the byte where a fault breaks off.
    private func room(after sent: Int, _ pieceSize: Int) -> Int {
        guard let end = breakPoint, end > sent else { return pieceSize }
        return min(pieceSize, end - sent)
    }

    private var breakPoint: Int? {
        switch plan.ending {
        case .cut(let byte), .reset(let byte?), .stall(let byte?): byte
        default: nil
        }
    }

    /// Breaks the connection if that many bytes of the body are what a fault lets pass.
    ///
    /// - Parameter isEmpty: there is no body at all, so every such fault strikes at once.
    private func breakOff(before sent: Int, isEmpty: Bool) async throws {
        guard let point = breakPoint, isEmpty || sent >= point else { return }
        try await connection.flush()
        switch plan.ending {
        case .cut: try await connection.close()
        case .reset: try await connection.reset()
        case .stall: try await connection.stall()
        default: break
        }
    }

    private func corrupt(_ piece: inout ByteBuffer, at offset: Int) {
        guard let corruption = plan.corruption else { return }
        let end = corruption.count.map { corruption.start + $0 } ?? Int.max
        let from = max(corruption.start, offset)
        let to = min(end, offset + piece.readableBytes)
        guard from < to else { return }
        piece.withUnsafeMutableReadableBytes { raw in
            for index in (from - offset)..<(to - offset) { raw[index] ^= 0xff }
        }
    }
}

/// Cuts a body into pieces.
private struct PieceSource {
    private let pieces: (any BodyPieces)?
    private var buffer = ByteBuffer()
    private var rest: Int

    init(_ body: AnswerBody) {
        rest = body.count
        switch body {
        case .bytes(let buffer):
            self.buffer = buffer
            pieces = nil
        case .pieces(_, let pieces):
            self.pieces = pieces
        case .stream(let stream):
            pieces = stream
        }
    }

    mutating func next(max: Int) async throws -> ByteBuffer? {
        guard rest > 0 else { return nil }
        let count = min(max, rest)
        let piece = try await pieces?.next(max: count) ?? buffer.readSlice(length: count)
        // Only a stream ends before its time.
        if piece?.readableBytes == 0 { return nil }
        rest -= piece?.readableBytes ?? rest
        return piece
    }
}
