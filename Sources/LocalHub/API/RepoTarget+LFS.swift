import Foundation
import HTTPTypes
import NIOCore

/// The LFS batch API: basic transfers, and the Hub's own in parts. Source: git-lfs's docs/api.
extension RepoTarget {
    private struct BatchBody: Decodable {
        struct Object: Decodable {
            let oid: String
            let size: Int
        }

        struct Ref: Decodable {
            let name: String
        }

        let operation: String
        let transfers: [String]?
        let objects: [Object]
        let ref: Ref?
        let hashAlgo: String?

        private enum CodingKeys: String, CodingKey {
            case operation, transfers, objects, ref
            case hashAlgo = "hash_algo"
        }
    }

    private struct BatchAnswer: Encodable {
        struct Action: Encodable {
            let href: String
            let header: [String: String]
            let expiresIn: Int

            private enum CodingKeys: String, CodingKey {
                case href, header
                case expiresIn = "expires_in"
            }
        }

        struct Failure: Encodable {
            let code: Int
            let message: String
        }

        struct Object: Encodable {
            let oid: String
            let size: Int
            var authenticated = true
            var actions: [String: Action]?
            var error: Failure?
        }

        let objects: [Object]
        /// Whether what is to be uploaded goes to the CAS.
        var usesXet = false

        private enum CodingKeys: String, CodingKey {
            case transfer, objects
        }

        /// Basic and multipart are told apart object by object; the answer is called by the rarer.
        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            let isInParts = objects.contains { $0.actions?["upload"]?.header["chunk_size"] != nil }
            let name = usesXet ? "xet" : isInParts ? "multipart" : "basic"
            try container.encode(name, forKey: .transfer)
            try container.encode(objects, forKey: .objects)
        }
    }

    private static let batchMax = 1000

    func lfsBatch() async throws -> Answer {
        let body = try await request.json(BatchBody.self)
        guard body.objects.count <= Self.batchMax else {
            throw Refusal.tooLarge("At most \(Self.batchMax) objects")
        }
        let usesXet =
            service.xet != nil && body.operation == "upload"
            && body.transfers?.contains("xet") ?? false
        guard usesXet || body.transfers?.contains("basic") ?? true,
            (body.hashAlgo ?? "sha256") == "sha256"
        else { throw Refusal.unprocessable("Only basic transfers of sha256 objects") }
        let objects = try await blocking {
            let store = service.hub.objects(repo)
            switch body.operation {
            case "upload":
                // What is for a new pull request comes without a ref.
                try requireCommit(to: body.ref?.name, opensPullRequest: body.ref == nil)
                let isInParts = body.transfers?.contains("multipart") ?? false
                let xet = usesXet ? try xetAction(body.ref?.name) : nil
                return try body.objects.map {
                    try upload($0, isInParts: isInParts, xet, store)
                }
            case "download":
                try caller.requireContent(of: repo, registry: registry)
                return try body.objects.map { try download($0, store) }
            default:
                throw Refusal.unprocessable("Unknown operation \(body.operation)")
            }
        }
        return try lfsJSON(BatchAnswer(objects: objects, usesXet: usesXet))
    }

    /// - Parameters:
    ///   - isInParts: whether the client knows how to upload parts.
    ///   - xet: the way to the CAS, if that is to be taken.
    private func upload(
        _ object: BatchBody.Object, isInParts: Bool, _ xet: BatchAnswer.Action?,
        _ store: RepoObjects
    ) throws -> BatchAnswer.Object {
        var answer = BatchAnswer.Object(oid: object.oid, size: object.size)
        guard isHex(object.oid, count: 64), object.size >= 0 else {
            answer.error = .init(code: 422, message: "Invalid object id or size")
            return answer
        }
        if let known = try store.size(object.oid) {
            if known != object.size {
                answer.error = .init(code: 422, message: "The object has \(known) bytes")
            }
            return answer
        }
        if let xet {
            answer.actions = ["upload": xet, "verify": verifyAction]
            return answer
        }
        let sizeMax = isInParts ? PartRule.sizeMax : PartRule.basicSizeMax
        guard object.size <= sizeMax else {
            answer.error = .init(
                code: 422, message: "The object is larger than \(sizeMax) bytes")
            return answer
        }
        let path = "/upload/\(repo.kind.plural)/\(repo.name)/\(object.oid)/\(object.size)"
        answer.actions = [
            "upload": isInParts && service.parts.applies(to: object.size)
                ? try partsAction(object)
                : action(service.cdnEndpoint + path, signed: path, for: .upload),
            "verify": verifyAction,
        ]
        return answer
    }

    private var verifyAction: BatchAnswer.Action {
        .init(
            href: "\(service.endpoint)/\(webID).git/info/lfs/verify", header: [:],
            expiresIn: service.urlLifetimeSeconds)
    }

    /// Where a token for the CAS is had, and one to begin with.
    private func xetAction(_ revision: String?) throws -> BatchAnswer.Action {
        let xet = try service.requireXet()
        let (token, expires) = try xet.token(for: repo, .write)
        let place = URLText.encode(revision ?? "main") + (revision == nil ? "?create_pr=1" : "")
        let api = "\(service.endpoint)/api/\(repo.kind.plural)/\(repo.name)"
        return .init(
            href: "\(api)/xet-write-token/\(place)",
            header: [
                "X-Xet-Cas-Url": service.casURL, "X-Xet-Access-Token": token,
                "X-Xet-Token-Expiration": String(expires),
                "X-Xet-Session-Id": UUID().uuidString.lowercased(),
            ], expiresIn: xet.options.tokenLifetimeSeconds)
    }

    private func download(
        _ object: BatchBody.Object, _ store: RepoObjects
    ) throws -> BatchAnswer.Object {
        var answer = BatchAnswer.Object(oid: object.oid, size: object.size)
        guard let size = try store.size(object.oid), size == object.size else {
            answer.error = .init(code: 404, message: "Object does not exist")
            return answer
        }
        let path = "/\(repo.kind.plural)/\(repo.name)/\(object.oid)"
        answer.actions = [
            "download": action(downloadOrigin(of: object.oid) + path, signed: path, for: .download)
        ]
        return answer
    }

    /// A URL for each part, numbered from 1, and the one that puts them together.
    private func partsAction(_ object: BatchBody.Object) throws -> BatchAnswer.Action {
        let lifetime = service.urlLifetimeSeconds
        let expires = Int(Date().timeIntervalSince1970) + lifetime
        let about = MultipartUpload.About(
            repo: repo.id, oid: object.oid, size: object.size,
            partSize: service.parts.partSize(of: object.size), expires: expires)
        let id = try service.multipart.begin(about)
        var header = ["chunk_size": String(about.partSize)]
        for number in 1...about.partCount {
            let path = "/multipart/\(id)/\(number)"
            let query = service.signer.sign(path, for: .upload, expires: expires)
            let name = MultipartUpload.name(ofPart: number)
            header[name] = "\(service.cdnEndpoint)\(path)?\(query)"
        }
        let query = service.signer.sign(id, for: .complete, expires: expires)
        let href = "\(service.endpoint)/api/complete_multipart?uploadId=\(id)&\(query)"
        return .init(href: href, header: header, expiresIn: lifetime)
    }

    private func action(
        _ url: String, signed path: String, for purpose: URLSigner.Purpose
    ) -> BatchAnswer.Action {
        let lifetime = service.urlLifetimeSeconds
        let query = service.signer.sign(
            path, for: purpose, expires: Int(Date().timeIntervalSince1970) + lifetime)
        return .init(href: url + "?" + query, header: [:], expiresIn: lifetime)
    }

    // MARK: verify

    private struct VerifyBody: Codable {
        let oid: String
        let size: Int
    }

    func lfsVerify() async throws -> Answer {
        let body = try await request.json(VerifyBody.self)
        let isStored = try await blocking {
            try caller.requireVoice(in: repo, registry: registry)
            return try service.hub.objects(repo).size(body.oid) == body.size
        }
        guard isStored else { throw Refusal.entryNotFound(commit: nil) }
        return try lfsJSON(body)
    }

    private func lfsJSON(_ value: some Encodable) throws -> Answer {
        var answer = try Answer.json(value)
        answer.headers[.contentType] = "application/vnd.git-lfs+json"
        return answer
    }
}
