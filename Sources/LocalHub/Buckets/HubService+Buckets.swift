import Foundation
import HTTPTypes

/// Buckets: files without versions, all of them in the CAS.
extension HubService {
    func buckets(_ address: BucketAddress, _ request: HubRequest) async throws -> Answer {
        _ = try requireXet()
        switch (address.action, request.method) {
        case (.list, .get): return try await listBuckets(address.namespace, request)
        case (.bucket, .post): return try await createBucket(address, request)
        default: break
        }
        let (target, redirect) = try await blocking.run { try find(address, request) }
        if let redirect { return redirect }
        switch (address.action, request.method) {
        case (.bucket, .get): return try await target.info()
        case (.bucket, .delete): return try await target.delete()
        case (.settings, .put): return try await target.changeSettings()
        case (.tree(let prefix), .get): return try await target.tree(prefix)
        case (.pathsInfo, .post): return try await target.pathsInfo()
        case (.batch, .post): return try await target.batch()
        case (.events, .get): return try await target.events()
        case (.token(let scope), .get): return try await target.token(scope)
        case (.resolve(let path), .get), (.resolve(let path), .head):
            return try await target.resolve(path)
        default: throw Refusal.unknownPath
        }
    }

    /// The bucket somebody may know of, and where to ask if it has another name now.
    private func find(
        _ address: BucketAddress, _ request: HubRequest
    ) throws -> (target: BucketTarget, redirect: Answer?) {
        let caller = try Caller(request.headers, registry: hub.registry)
        let missing = Refusal.repoNotFound(isAnonymous: caller.isAnonymous)
        guard let name = RepoName(namespace: address.namespace, name: address.name) else {
            throw missing
        }
        guard
            let bucket = try hub.registry.bucket(name) ?? hub.registry.bucket(alias: name)
        else { throw missing }
        try caller.requireSight(of: bucket)
        let target = BucketTarget(bucket: bucket, caller: caller, service: self, request: request)
        if bucket.name == name { return (target, nil) }
        let query = request.rawQuery.map { "?" + $0 } ?? ""
        let location = address.before + bucket.name.description + address.after + query
        let answer = Answer.text(
            .temporaryRedirect, "Temporary Redirect. Redirecting to \(location)",
            headers: [.location: location])
        return (target, answer)
    }

    // MARK: Making and listing them

    private struct CreateBody: Decodable {
        let visibility: String?
        let `private`: Bool?
    }

    private struct CreatedBody: Encodable {
        let url: String
        let id: String
    }

    private func createBucket(
        _ address: BucketAddress, _ request: HubRequest
    ) async throws -> Answer {
        let body = try await request.json(CreateBody.self)
        return try await blocking.run {
            let caller = try Caller(request.headers, registry: hub.registry)
            let namespace = address.namespace == "me" ? caller.author : address.namespace
            try caller.requireWrite(in: namespace)
            guard let name = RepoName(namespace: namespace, name: address.name) else {
                throw Refusal.badRequest("Invalid bucket name: \(namespace)/\(address.name)")
            }
            if let known = try hub.registry.bucket(name) {
                throw Refusal.conflict(
                    "You already created this bucket", url: webURL(ofBucket: known.name))
            }
            let isPrivate = body.private ?? (body.visibility.map { $0 != "public" } ?? false)
            try hub.registry.insertBucket(name, isPrivate: isPrivate)
            return try .json(
                CreatedBody(url: webURL(ofBucket: name), id: name.description))
        }
    }

    func webURL(ofBucket name: RepoName) -> String { "\(endpoint)/buckets/\(name)" }

    private static let listMax = 1000

    private func listBuckets(_ namespace: String, _ request: HubRequest) async throws -> Answer {
        try await blocking.run {
            let caller = try Caller(request.headers, registry: hub.registry)
            if namespace == "me", caller.isAnonymous { throw Refusal.loginNeeded }
            let found = try hub.registry.buckets(
                of: namespace == "me" ? caller.author : namespace,
                search: request.parameter("search"))
            let cursor = request.parameter("cursor") ?? ""
            let visible = found.filter { bucket in
                bucket.name.name.lowercased() > cursor
                    && (!bucket.isPrivate || caller.isMember(of: bucket.name.namespace))
            }
            let page = visible.prefix(min(pageSizeMax, Self.listMax))
            var headers: HTTPFields = [:]
            if page.count < visible.count, let last = page.last {
                let url = request.url(
                    endpoint, replacing: "cursor", with: last.name.name.lowercased())
                headers[.link] = "<\(url)>; rel=\"next\""
            }
            let bodies = try page.map { try BucketBody($0, hub.registry.contents(of: $0)) }
            return try .json(bodies, headers: headers)
        }
    }

    // MARK: Renaming

    /// - Parameter names: as the request has them.
    func moveBucket(
        from old: String, to new: String, _ request: HubRequest
    ) async throws -> Answer {
        _ = try requireXet()
        return try await blocking.run {
            let caller = try Caller(request.headers, registry: hub.registry)
            guard let from = RepoName(old), let bucket = try hub.registry.bucket(from) else {
                throw Refusal.repoNotFound(isAnonymous: caller.isAnonymous)
            }
            try caller.requireWrite(to: bucket)
            guard let name = RepoName(new) else {
                throw Refusal.badRequest("Invalid bucket name: \(new)")
            }
            try caller.requireWrite(in: name.namespace)
            if let other = try hub.registry.bucket(name),
                other.id != bucket.id || other.name == name
            {
                throw Refusal.conflict(
                    "\(name) exists already", url: webURL(ofBucket: other.name))
            }
            try hub.registry.rename(bucket, to: name)
            return try .json(["url": webURL(ofBucket: name)])
        }
    }
}

extension Caller {
    /// - Throws: the Hub's refusal if the caller may not know of the bucket.
    func requireSight(of bucket: BucketRecord) throws {
        if bucket.isPrivate, !isMember(of: bucket.name.namespace) {
            throw Refusal.repoNotFound(isAnonymous: isAnonymous)
        }
    }

    /// - Throws: the Hub's refusal if the caller may not change the bucket.
    func requireWrite(to bucket: BucketRecord) throws {
        try requireSight(of: bucket)
        if isAnonymous { throw Refusal.repoNotFound(isAnonymous: true) }
        try requireWrite(in: bucket.name.namespace)
    }
}

/// A bucket as it is told of.
struct BucketBody: Encodable {
    let id: String
    let `private`: Bool
    let createdAt: String
    let updatedAt: String
    let size: Int
    let totalFiles: Int

    init(_ bucket: BucketRecord, _ contents: (count: Int, size: Int)) {
        id = bucket.name.description
        `private` = bucket.isPrivate
        createdAt = JSONText.date(bucket.created)
        updatedAt = JSONText.date(bucket.updated)
        size = contents.size
        totalFiles = contents.count
    }
}
