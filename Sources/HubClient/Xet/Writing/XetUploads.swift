import Glibc
import HTTPTransport
import Platform
package import XetCodec

/// Uploads to the content-addressed store for one branch of a repo: xorbs, and the shards that make files of
/// them.
///
/// A token that is about to run out is renewed before it is used, one that the store refuses once. Nothing
/// here waits: completions run once, on a transfer thread.
///
/// Source: the Xet specification, upload protocol.
package final class XetUploads: Sendable {
    package typealias Completion<Value> = @Sendable (Result<Value, HubError>) -> Void

    private struct State {
        var access: XetAccess?
        /// Wait for the token that was asked for; nil when none was.
        var waiters: [Completion<XetAccess>]?
        /// The store does not know grants, or the second version of shards.
        var hasNoGrants = false
        var hasNoEvents = false
    }

    /// Questions for one xorb's grant before it is sent directly.
    private static let grantCountMax = 3
    private static let answerByteCountMax = 16 << 20
    /// Before a question is asked again: there is another way to upload, so an outage is not waited for.
    private static let retryWaits = [1.0, 4, 15, 45]
    /// A chunk that is not known of is sent.
    private static let queryRetryWaits = [0.5]

    let client: HubClient
    private let repo: RepoID
    private let revision: Revision
    private let state = Guarded(State(), rank: .hub)

    package init(_ client: HubClient, _ repo: RepoID, to revision: Revision) {
        self.client = client
        self.repo = repo
        self.revision = revision
    }

    /// Asks for the token.
    ///
    /// - Parameter completion: Gets the store's address. A 404 says that the Hub has no store for this repo.
    package func open(completion: @escaping Completion<String>) {
        access { completion($0.map(\.base)) }
    }

    // MARK: Xorbs

    /// Stores a xorb: by a grant, where the store gives some.
    ///
    /// - Parameters:
    ///   - bytes: As `XorbWriter` has them.
    ///   - completion: Gets the bytes that were sent: none for a xorb that the store has.
    package func store(_ hash: XetHash, _ bytes: [UInt8], completion: @escaping Completion<Int>) {
        if state.withLock({ $0.hasNoGrants }) {
            return storeDirectly(hash, bytes, completion: completion)
        }
        askGrant(hash, bytes, triesLeft: Self.grantCountMax, completion: completion)
    }

    private func storeDirectly(
        _ hash: XetHash, _ bytes: [UInt8], completion: @escaping Completion<Int>
    ) {
        let count = bytes.count
        ask("/v1/xorbs/default/\(hash.text)", .post, bytes, lane: .upload) { [client] result in
            if case .success = result { client.counters.countBytesSent(UInt64(count), .cas) }
            completion(
                result.map { answer in
                    let isNew = JSON(answer.response.body)?["was_inserted"]?.bool ?? true
                    return isNew ? count : 0
                })
        }
    }

    private func askGrant(
        _ hash: XetHash, _ bytes: [UInt8], triesLeft: Int, completion: @escaping Completion<Int>
    ) {
        if triesLeft == 0 { return storeDirectly(hash, bytes, completion: completion) }
        var checksum = CRC64()
        bytes.withUnsafeBytes { checksum.update($0) }
        let body = """
            {"length":\(bytes.count),\
            "checksum":{"algo":"crc64nvme","value":"\(checksum.value)"}}
            """
        let path = "/v1/xorb-grants/default/\(hash.text)"
        ask(path, .post, Array(body.utf8), [404], type: "application/json") {
            [self] result in
            switch result {
            case .failure(let error): completion(.failure(error))
            case .success(let answer):
                switch answer.response.head.status {
                case 404:
                    state.withLock { $0.hasNoGrants = true }
                    storeDirectly(hash, bytes, completion: completion)
                case 201:
                    guard let grant = XorbGrant(answer.response.body) else {
                        return completion(.failure(answer.malformed("no grant for a xorb")))
                    }
                    send(hash, bytes, grant, triesLeft: triesLeft - 1, completion: completion)
                default: completion(.success(0))
                }
            }
        }
    }

    private func send(
        _ hash: XetHash, _ bytes: [UInt8], _ grant: XorbGrant, triesLeft: Int,
        completion: @escaping Completion<Int>
    ) {
        var question = Exchange.Question(
            url: grant.url, kind: .api, counter: .xorb, priority: .prefetch)
        question.method = grant.method
        question.headers = grant.headers
        question.body = bytes
        question.lane = .upload
        question.isForWriting = true
        question.retryWaits = Self.retryWaits
        question.sendsToken = false
        question.isInQuota = false
        question.followsRedirects = false
        question.asksForRepo = false
        // 412: it is stored. Any other refusal is the grant's, which may be too old.
        question.answerStatuses = [400, 401, 403, 404, 409, 410, 412]
        Exchange(client, question) { [self] result in
            switch result {
            case .failure(let error): completion(.failure(error))
            case .success(let answer):
                let status = answer.response.head.status
                guard (200..<300).contains(status) || status == 412 else {
                    return askGrant(hash, bytes, triesLeft: triesLeft, completion: completion)
                }
                client.counters.countBytesSent(UInt64(bytes.count), .xorb)
                let path = "/v1/xorb-commits/default/\(hash.text)/grant/\(grant.id)"
                ask(path, .post, [], [404]) { [self] result in
                    switch result {
                    case .failure(let error): completion(.failure(error))
                    case .success(let answer) where answer.response.head.status == 404:
                        askGrant(hash, bytes, triesLeft: triesLeft, completion: completion)
                    case .success: completion(.success(bytes.count))
                    }
                }
            }
        }.start()
    }

    // MARK: Shards

    /// Makes files of xorbs that are stored.
    ///
    /// - Parameter shard: As `Shard.uploaded` writes it.
    package func register(_ shard: [UInt8], completion: @escaping Completion<Void>) {
        let isFirstVersion = state.withLock { $0.hasNoEvents }
        let path = isFirstVersion ? "/v1/shards" : "/v2/shards"
        ask(path, .post, shard, isFirstVersion ? [] : [404, 501], lane: .upload) {
            [self] result in
            switch result {
            case .failure(let error): completion(.failure(error))
            case .success(let answer):
                client.counters.countBytesSent(UInt64(shard.count), .cas)
                if isFirstVersion { return completion(.success(())) }
                if [404, 501].contains(answer.response.head.status) {
                    state.withLock { $0.hasNoEvents = true }
                    return register(shard, completion: completion)
                }
                completion(Self.outcome(of: answer))
            }
        }
    }

    /// What the last event of a shard's registration says.
    private static func outcome(of answer: Exchange.Answer) -> Result<Void, HubError> {
        for line in answer.response.body.split(separator: UInt8(ascii: "\n")) {
            let event = JSON(Array(line))
            switch event?["type"]?.string {
            case "result": return .success(())
            case "error":
                let words = event?["message"]?.string ?? "no reason was given"
                let url = answer.url.withoutQuery
                if event?["retryable"]?.bool == true {
                    return .failure(.unreachable(url: url, reason: words))
                }
                // What the first version says by its status.
                return .failure(
                    .status(
                        HubError.Refusal(status: 400, message: words, requestID: "", url: url)))
            default: continue
            }
        }
        return .failure(answer.malformed("a shard's registration without a result"))
    }

    // MARK: Chunks

    /// Asks whether the store has a chunk.
    ///
    /// - Parameter completion: Gets the xorbs around it, named with a key; nil when it is not known.
    package func query(_ chunk: XetHash, completion: @escaping Completion<Shard?>) {
        ask("/v1/chunks/default/\(chunk.text)", .get, nil, [404]) { result in
            completion(
                result.map { answer in
                    guard answer.response.head.status == 200 else { return nil }
                    return answer.response.body.withUnsafeBytes { try? Shard(reading: $0) }
                })
        }
    }

    /// Asks how the store puts a file together.
    ///
    /// - Parameter completion: Gets its terms; nil for a file that the store does not know.
    package func terms(of file: XetHash, completion: @escaping Completion<[XetTerm]?>) {
        terms(of: file, by: "v2", completion: completion)
    }

    private func terms(
        of file: XetHash, by version: String, completion: @escaping Completion<[XetTerm]?>
    ) {
        let path = "/\(version)/reconstructions/\(file.text)"
        ask(path, .get, nil, [404, 501]) { [self] result in
            switch result {
            case .failure(let error): completion(.failure(error))
            case .success(let answer) where answer.response.head.status != 200:
                if version == "v1" { return completion(.success(nil)) }
                terms(of: file, by: "v1", completion: completion)
            case .success(let answer):
                let plan = JSON(answer.response.body).flatMap { try? Reconstruction($0) }
                completion(.success(plan?.terms))
            }
        }
    }

    /// Asks what has to be known of a file's chunks to change some of its bytes.
    ///
    /// - Parameters:
    ///   - dirty: Bytes of the file that change, ascending, not empty, all within it.
    ///   - completion: Gets the answer's JSON; nil from a store that does not know the file, or the question.
    ///     Source: `GET /v2/file-chunk-hashes/{file}` of the store.
    package func chunkHashes(
        of file: XetHash, changing dirty: [ClosedRange<UInt64>],
        completion: @escaping Completion<[UInt8]?>
    ) {
        let ranges = dirty.map { "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: ",")
        ask(
            "/v2/file-chunk-hashes/\(file.text)", .get, nil, [400, 404, 405, 416, 501],
            headers: [(name: "X-Range-Dirty", value: "bytes=\(ranges)")]
        ) { result in
            completion(
                result.map { answer in
                    answer.response.head.status == 200 ? answer.response.body : nil
                })
        }
    }

    // MARK: Questions

    /// Asks the store, with a token that is renewed once if it is refused.
    private func ask(
        _ path: String, _ method: HTTPRequest.Method, _ body: [UInt8]?,
        _ answerStatuses: Set<Int> = [], type: String? = nil,
        headers: [(name: String, value: String)] = [], lane: HTTPRequest.Lane = .small,
        isSecondToken: Bool = false, completion: @escaping Completion<Exchange.Answer>
    ) {
        access { [self] result in
            let access: XetAccess
            switch result {
            case .failure(let error): return completion(.failure(error))
            case .success(let found): access = found
            }
            guard let url = WebURL(access.base + path) else {
                return completion(.failure(.malformed(url: access.base, reason: "no URL")))
            }
            var question = Exchange.Question(
                url: url, kind: .api, counter: .cas, priority: .prefetch)
            question.method = method
            question.headers =
                [access.header] + headers
                + (type.map { [(name: "Content-Type", value: $0)] } ?? [])
            question.body = body
            question.lane = lane
            question.isForWriting = true
            question.retryWaits = method == .get ? Self.queryRetryWaits : Self.retryWaits
            question.sendsToken = false
            question.isInQuota = false
            question.followsRedirects = false
            question.asksForRepo = false
            question.answerStatuses = answerStatuses
            question.bodyByteCountMax = Self.answerByteCountMax
            Exchange(client, question) { [self] result in
                guard case .failure(let error) = result, error.status == 401, !isSecondToken else {
                    return completion(result)
                }
                state.withLock { if $0.access == access { $0.access = nil } }
                ask(
                    path, method, body, answerStatuses, type: type, headers: headers, lane: lane,
                    isSecondToken: true, completion: completion)
            }.start()
        }
    }

    private func access(completion: @escaping Completion<XetAccess>) {
        let now = Double(time(nil))
        let (known, asks) = state.withLock { state -> (XetAccess?, Bool) in
            if let access = state.access, access.expiresAt > now + XetTokens.marginSeconds {
                return (access, false)
            }
            let isFirst = state.waiters == nil
            state.waiters = (state.waiters ?? []) + [completion]
            return (nil, isFirst)
        }
        if let known { return completion(.success(known)) }
        guard asks else { return }
        guard let url = client.routes?.xetToken("write", repo, revision.name) else {
            let endpoint = client.configuration.endpoint
            return answer(.failure(.malformed(url: endpoint, reason: "no URL")))
        }
        var question = Exchange.Question(url: url, kind: .api, counter: .api, priority: .prefetch)
        question.isForWriting = true
        Exchange(client, question) { [self] result in
            answer(
                result.flatMap { answer in
                    XetAccess(answer.response).map { .success($0) }
                        ?? .failure(answer.malformed("no token for the store"))
                })
        }.start()
    }

    private func answer(_ result: Result<XetAccess, HubError>) {
        let waiters = state.withLock { state in
            if case .success(let access) = result { state.access = access }
            defer { state.waiters = nil }
            return state.waiters ?? []
        }
        for waiter in waiters { waiter(result) }
    }
}

/// The right to send one xorb to a store of objects, by a signed URL.
struct XorbGrant {
    let id: String
    let method: HTTPRequest.Method
    let url: WebURL
    /// Exactly these go along.
    let headers: [(name: String, value: String)]

    /// - Returns: nil when a member is missing, or cannot be used.
    init?(_ body: [UInt8]) {
        guard let json = JSON(body), let id = json["id"]?.string, !id.isEmpty,
            id.utf8.allSatisfy({ byte in
                let character = Character(UnicodeScalar(byte))
                return character.isASCII && (character.isLetter || character.isNumber)
                    || "-_.".contains(character)
            }),
            let method = json["method"]?.string.flatMap(HTTPRequest.Method.init(rawValue:)),
            let url = json["url"]?.string.flatMap({ WebURL($0) }),
            case .object(let headers)? = json["headers"]
        else { return nil }
        self.id = id
        self.method = method
        self.url = url
        self.headers = headers.compactMap { name, value in
            value.string.map { (name, $0) }
        }.sorted { $0.name < $1.name }
    }
}
