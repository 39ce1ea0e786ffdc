import Foundation
import HTTPTypes
import NIOCore
import Synchronization

/// Uploads in parts: the parts themselves, on the CDN's listener, and their end, on the Hub's.
///
/// Both are let in by their signed URLs alone.
extension HubService {
    // MARK: Parts

    func uploadPart(
        _ number: Int, of id: String, _ request: HubRequest
    ) async throws -> Answer {
        try requireSignature(.upload, request)
        guard let length = request.contentLength else { throw Refusal.lengthRequired }
        let intake = try await blocking.run {
            guard let upload = multipart.upload(id),
                let range = upload.about.range(ofPart: number)
            else { throw Self.noUpload }
            guard length == range.count else {
                throw Refusal.badRequest("Part \(number) has \(range.count) bytes")
            }
            return try Self.refusing {
                PartUpload(try upload.receive(part: number, at: range.lowerBound))
            }
        }
        try await request.forEachLot { lot in
            try await blocking.run { try Self.refusing { try intake.append(lot) } }
        }
        let etag = try await blocking.run { try Self.refusing { try intake.finish() } }
        return Answer(.ok, headers: [.eTag: "\"\(etag)\""])
    }

    // MARK: The end

    private struct CompleteBody: Decodable {
        struct Part: Decodable {
            let partNumber: Int
            let etag: String
        }

        let oid: String
        let parts: [Part]
    }

    private struct CompletedBody: Encodable {
        let success = true
    }

    func completeMultipart(_ request: HubRequest) async throws -> Answer {
        guard request.method == .post else { throw Refusal.unknownPath }
        let id = request.parameter("uploadId") ?? ""
        try requireSignature(.complete, request, path: id)
        let body = try await request.json(CompleteBody.self)
        try await blocking.run {
            guard let upload = multipart.upload(id),
                let repo = try hub.registry.repo(id: upload.about.repo)
            else { throw Self.noUpload }
            guard body.oid == upload.about.oid else {
                throw Refusal.badRequest("The upload is of another object")
            }
            let parts = try body.parts.map { (number: $0.partNumber, etag: try Self.bare($0.etag)) }
            try Self.refusing { try upload.finish(parts, into: hub.lfs(repo)) }
        }
        return try .json(CompletedBody())
    }

    /// The tag without its quotes, which belong to it as the part's answer had it.
    private static func bare(_ etag: String) throws -> String {
        guard etag.count > 2, etag.hasPrefix("\""), etag.hasSuffix("\"") else {
            throw Refusal.badRequest("An ETag is sent back as it came, with its quotes: \(etag)")
        }
        return String(etag.dropFirst().dropLast())
    }

    private static let noUpload = Refusal.missing("The specified upload does not exist.")

    /// Says an upload's failures as an object store does.
    private static func refusing<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch MultipartUpload.Failure.gone {
            throw noUpload
        } catch MultipartUpload.Failure.badParts(let text) {
            throw Refusal.badRequest("Invalid parts: \(text)")
        } catch MultipartUpload.Failure.wrongContent {
            throw Refusal.badRequest("The bytes are not those of the object")
        }
    }
}

/// A part's file between its pieces. The mutex orders what follows one another anyway.
private final class PartUpload: Sendable {
    private let intake: Mutex<PartIntake>

    init(_ intake: sending PartIntake) {
        self.intake = Mutex(intake)
    }

    func append(_ lot: [ByteBuffer]) throws {
        try intake.withLock { intake in
            for piece in lot { try piece.withUnsafeReadableBytes { try intake.append($0) } }
        }
    }

    func finish() throws -> String {
        try intake.withLock { try $0.finish() }
    }
}
