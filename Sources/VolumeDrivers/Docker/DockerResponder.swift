import FoundationEssentials
import HTTPTypes
import HummingbirdCore
import NIOCore

/// Answers Docker's daemon.
struct DockerResponder: Sendable {
    let volumes: VolumeRegistry

    /// Docker's own requests have a few hundred bytes.
    private static let requestBytesMax = 64 << 10
    private static let contentType = "application/vnd.docker.plugins.v1.2+json"

    /// - Throws: an error of the connection.
    func respond(_ request: Request, _ writer: consuming ResponseWriter) async throws {
        let (status, body) = await answer(request)
        var head = HTTPResponse(status: status)
        head.headerFields[.contentType] = Self.contentType
        head.headerFields[.contentLength] = String(body.count)
        // What is left of a body that is too long is not read.
        if status == .contentTooLarge { head.headerFields[.connection] = "close" }
        try await writer.write(
            response: head, body: ResponseBody(byteBuffer: ByteBuffer(bytes: body)))
    }

    private func answer(_ request: Request) async -> (HTTPResponse.Status, [UInt8]) {
        guard let call = Call(rawValue: request.uri.path) else {
            return (.notFound, Self.json(DockerMessage.Done(error: "no such call")))
        }
        guard request.method == .post else {
            return (.methodNotAllowed, Self.json(DockerMessage.Done(error: "calls are POST")))
        }
        let message: DockerMessage.Request
        do {
            let bytes = try await request.body.collect(upTo: Self.requestBytesMax)
            // Calls without parameters come with an empty body, or with null.
            let text = bytes.readableBytes == 0 ? Data("{}".utf8) : Data(bytes.readableBytesView)
            message =
                try JSONDecoder().decode(DockerMessage.Request?.self, from: text)
                ?? DockerMessage.Request(name: nil, id: nil, options: nil)
        } catch is NIOTooManyBytesError {
            return (
                .contentTooLarge,
                Self.json(
                    DockerMessage.Done(error: "more than \(Self.requestBytesMax) bytes"))
            )
        } catch {
            return (.badRequest, Self.json(DockerMessage.Done(error: "the body is no such JSON")))
        }
        do throws(VolumeError) {
            return (.ok, try await call.perform(message, on: volumes))
        } catch {
            // Docker takes a failed operation's sentence from an answer that is well-formed.
            return (.ok, Self.json(DockerMessage.Done(error: error.description)))
        }
    }

    static func json(_ value: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return Array(try encoder.encode(value))
        } catch {
            preconditionFailure("messages have nothing that JSON cannot say: \(error)")
        }
    }
}
