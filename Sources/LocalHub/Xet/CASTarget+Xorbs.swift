import Foundation
import HTTPTypes
import NIOCore
import Synchronization
import XetCodec

/// Xorbs that come in: in the request, or to a URL that is granted for them.
extension CASTarget {
    private struct UploadedBody: Encodable {
        let wasInserted: Bool

        private enum CodingKeys: String, CodingKey {
            case wasInserted = "was_inserted"
        }
    }

    func uploadXorb(_ hash: XetHash) async throws -> Answer {
        guard let length = request.contentLength else { throw Refusal.lengthRequired }
        guard length <= XorbIndex.byteCountMax + Self.footerBytesMax else {
            throw Refusal.tooLarge("A xorb has at most \(XorbIndex.byteCountMax) bytes")
        }
        let upload = try await blocking { XorbUpload(try store.receive()) }
        try await request.forEachLot { lot in try await blocking { try upload.append(lot) } }
        let isNew = try await blocking { try upload.keep(in: store, as: hash) }
        return try .json(UploadedBody(wasInserted: isNew))
    }

    /// Of a xorb with the most chunks; old clients send one.
    private static let footerBytesMax = 100 + 40 * XorbWriter.chunkCountMax

    // MARK: Grants

    private struct GrantRequest: Decodable {
        struct Checksum: Decodable {
            let algo: String
            let value: String
        }

        let length: Int
        let checksum: Checksum
    }

    private struct GrantBody: Encodable {
        let id: String
        let method = "PUT"
        let url: String
        let headers: [String: String]
    }

    /// A URL for one xorb of that length and checksum; none is needed for one that is here.
    func grant(_ hash: XetHash) async throws -> Answer {
        let body = try await request.json(GrantRequest.self)
        guard body.checksum.algo == "crc64nvme", let checksum = UInt64(body.checksum.value) else {
            throw Refusal.badRequest("Only crc64nvme checksums, in decimal digits")
        }
        guard (1...XorbIndex.byteCountMax).contains(body.length) else {
            throw Refusal.badRequest("A xorb has 1 to \(XorbIndex.byteCountMax) bytes")
        }
        if try await blocking({ try store.index(of: hash) }) != nil {
            return try .json(UploadedBody(wasInserted: false))
        }
        let grant = XorbGrant(
            xorb: hash.text, id: UUID().uuidString.lowercased(), length: body.length,
            checksum: checksum)
        let expires = Int(Date().timeIntervalSince1970) + service.urlLifetimeSeconds
        let query = service.signer.sign(grant.target, for: .upload, expires: expires)
        return try .json(
            GrantBody(
                id: grant.id, url: "\(service.cdnEndpoint)\(grant.target)&\(query)",
                headers: grant.headers),
            .created)
    }

    /// What came by a grant becomes a xorb.
    func commit(_ hash: XetHash, grant id: String) async throws -> Answer {
        let isNew = try await blocking {
            if try store.index(of: hash) != nil { return false }
            guard UUID(uuidString: id) != nil, let arrived = store.arrived(hash, grant: id) else {
                throw Refusal.missing("Nothing was uploaded by the grant")
            }
            return try XorbUpload(arrived).keep(in: store, as: hash)
        }
        return try .json(UploadedBody(wasInserted: isNew))
    }
}

/// What a URL for an upload is signed for.
struct XorbGrant: Equatable, Sendable {
    let xorb: String
    let id: String
    let length: Int
    /// CRC-64/NVME of what is to come.
    let checksum: UInt64

    /// Path and query, before the signature.
    var target: String {
        "/xorbs/\(CASAction.prefix)/\(xorb)?grant=\(id)&length=\(length)&crc64nvme=\(checksum)"
    }

    /// What has to be sent with it. The checksum is base64 of the number's bytes, the highest first.
    var headers: [String: String] {
        let bytes = withUnsafeBytes(of: checksum.bigEndian) { Data($0) }
        return [
            "content-type": "application/octet-stream", "if-none-match": "*",
            "x-amz-checksum-crc64nvme": bytes.base64EncodedString(),
        ]
    }

    init(xorb: String, id: String, length: Int, checksum: UInt64) {
        (self.xorb, self.id, self.length, self.checksum) = (xorb, id, length, checksum)
    }

    /// - Returns: nil unless the request names one.
    init?(_ request: HubRequest, xorb: String) {
        guard let id = request.parameter("grant"), UUID(uuidString: id) != nil,
            let length = request.parameter("length").flatMap({ Int($0) }),
            let checksum = request.parameter("crc64nvme").flatMap({ UInt64($0) })
        else { return nil }
        self.init(xorb: xorb, id: id, length: length, checksum: checksum)
    }
}

extension HubService {
    /// Takes what a grant is for, on the CDN's listener. Whether it is a xorb is looked at when the
    /// grant is committed.
    func receiveXorb(_ name: String, _ request: HubRequest) async throws -> Answer {
        guard request.headers[.authorization] == nil else { throw Refusal.twoAuthorizations }
        guard let hash = XetHash(text: name), let grant = XorbGrant(request, xorb: name) else {
            throw Refusal.forbidden("Access denied")
        }
        try requireSignature(.upload, request, path: grant.target)
        for (name, value) in grant.headers {
            guard let name = HTTPField.Name(name), request.headers[name] == value else {
                throw Refusal.forbidden("The header \(name) is not the one that was granted")
            }
        }
        guard let length = request.contentLength else { throw Refusal.lengthRequired }
        guard length == grant.length else {
            throw Refusal.badRequest("The grant is for \(grant.length) bytes")
        }
        let upload = try await blocking.run { XorbUpload(try hub.xet.receive()) }
        try await request.forEachLot { lot in
            try await blocking.run { try upload.append(lot) }
        }
        try await blocking.run { try upload.leave(in: hub.xet, as: hash, grant) }
        return Answer(.ok, headers: [.eTag: "\"\(grant.checksum)\""])
    }
}

/// A xorb's file between its pieces. The mutex orders what follows one another anyway.
private final class XorbUpload: Sendable {
    private struct State {
        let intake: FileIntake
        var checksum = CRC64()
    }

    private let state: Mutex<State>

    init(_ intake: sending FileIntake) {
        state = Mutex(State(intake: intake))
    }

    func append(_ lot: [ByteBuffer]) throws {
        try state.withLock { state in
            for piece in lot {
                try piece.withUnsafeReadableBytes { bytes in
                    state.checksum.update(bytes)
                    try state.intake.append(bytes)
                }
            }
        }
    }

    /// - Throws: `Refusal.badRequest` if it is not that xorb.
    func keep(in store: XetStore, as hash: XetHash) throws -> Bool {
        try state.withLock { state in
            let index: XorbIndex
            do {
                index = try state.intake.withContents { try XorbIndex(reading: $0) }
            } catch let error as XetFormatError {
                throw Refusal.badRequest("This is no xorb: \(error)")
            }
            guard index.hash == hash else {
                throw Refusal.badRequest("The xorb is \(index.hash) and not \(hash)")
            }
            return try store.keep(state.intake, index)
        }
    }

    /// Leaves it where a commit finds it.
    func leave(in store: XetStore, as hash: XetHash, _ grant: XorbGrant) throws {
        try state.withLock { state in
            guard state.checksum.value == grant.checksum else {
                throw Refusal.badRequest("The checksum is \(state.checksum.value)")
            }
            guard try store.leave(state.intake, hash, grant: grant.id) else {
                throw Refusal.preconditionFailed
            }
        }
    }
}
