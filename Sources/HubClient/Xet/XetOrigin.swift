import HTTPTransport
import Logging
import Platform
import XetCodec

/// Contents from the content-addressed store where that is better, else the plain way.
///
/// What other contents of the cache have is copied. Of the rest, long ranges that are fetched ahead come as
/// chunks; what a reader waits for, and what is short, is asked of the CDN as ever: that is one question
/// instead of two. Whatever goes wrong with the store, the plain way is gone. (docs/decisions/0030)
package final class XetOrigin: ContentOrigin {
    let client: HubClient
    let files = XetFiles()
    let reconstructions = Reconstructions()
    /// Copies, and looks for what can be copied.
    let worker = Worker(name: "hubfs-chunks", threadCount: 2)
    private let keeperBox = Guarded<(any ChunkKeeper)?>(nil)
    private let rooms = Guarded<[XorbStream.Room]>([])
    let buffers = PieceBuffers()

    /// Files below this come the plain way: they are fetched by one or two requests.
    package static let fileBytesMin: UInt64 = 8 << 20
    /// Ranges below this are not asked of the store.
    static let rangeBytesMin: UInt64 = 512 << 10

    package init(_ client: HubClient) { self.client = client }

    /// Ends the threads; to be called when nobody fetches any more.
    package func close() { worker.close() }

    /// Says who knows what can be copied.
    package func attach(_ keeper: any ChunkKeeper) { keeperBox.withLock { $0 = keeper } }

    var keeper: (any ChunkKeeper)? { keeperBox.withLock { $0 } }

    package var figures: XetFigures { files.figures }

    package func fetch(
        _ location: ContentLocation, range: Range<UInt64>, priority: FetchPriority,
        into receiver: any ContentReceiver
    ) -> any Fetch {
        guard case .lfs = location.content, location.size >= Self.fileBytesMin,
            !client.configuration.isOffline
        else { return plain(location, range, priority, receiver) }
        let isLarge = priority == .prefetch && UInt64(range.count) >= Self.rangeBytesMin
        let wish = XetFiles.Wish(
            isLarge: isLarge, isDemand: priority == .demand,
            mayBeShared: keeper.map { !$0.isEmpty } ?? false)
        let fetch = XetFetch(self, location, range, priority, receiver)
        let way = files.way(
            for: location.content, wish, prepare: { prepare(location) },
            completion: { fetch.begin(with: $0) })
        switch way {
        case .ready(let file) where isLarge || file.sharesBytes(of: range):
            fetch.begin(with: file)
        case .waits: break
        case .ready, .plain: return plain(location, range, priority, receiver)
        }
        return fetch
    }

    /// Calls `completion` when the store has said how a content is put together: with nil when nobody has
    /// asked it, or it has not said so.
    package func whenKnown(
        _ content: ContentID, completion: @escaping @Sendable (XetFile?) -> Void
    ) {
        files.whenKnown(content, completion)
    }

    /// The bytes of a content that came were wrong.
    package func wasWrong(_ content: ContentID) {
        if files.wasWrong(content) {
            client.configuration.logger.warning("what the store gave was not \(content.hex)")
        }
    }

    /// Runs `body` with a place to unpack chunks that nobody else uses meanwhile.
    func withRoom<Value, Failure: Error>(
        _ body: (XorbStream.Room) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        let room = rooms.withLock { $0.popLast() } ?? XorbStream.Room()
        defer { rooms.withLock { $0.append(room) } }
        return try body(room)
    }

    private func plain(
        _ location: ContentLocation, _ range: Range<UInt64>, _ priority: FetchPriority,
        _ receiver: any ContentReceiver
    ) -> any Fetch {
        client.fetch(location, range: range, priority: priority, into: receiver)
    }

    /// Finds out how a file is put together, and what of it is here.
    private func prepare(_ location: ContentLocation) {
        client.locations.find(location, .prefetch, client: client) { [self] result in
            switch result {
            case .failure(let error): refused(location, .plan, error)
            case .success(let place):
                guard let hash = place.xetHash else {
                    return files.isNotThere(location.content)
                }
                reconstructions.find(hash, nil, of: location, client: client) { [self] result in
                    switch result {
                    case .failure(let error): refused(location, .plan, error)
                    case .success(let plan): prepare(location, hash, plan)
                    }
                }
            }
        }
    }

    private func prepare(_ location: ContentLocation, _ hash: XetHash, _ plan: Reconstruction) {
        guard plan.skipCount == 0, plan.byteCount == location.size else {
            return files.failed(
                location.content, .plan,
                "\(location.path): \(plan.byteCount) bytes of \(location.size)")
        }
        let isTaken = worker.submit { [self] in
            let runs = keeper?.shared(plan.terms, of: location) ?? []
            files.prepared(
                location.content, XetFile(hash: hash, terms: plan.terms, runs: runs))
        }
        if !isTaken { files.failed(location.content, .plan, "the cache closes") }
    }

    private func refused(
        _ location: ContentLocation, _ reason: XetFigures.Reason, _ error: HubError
    ) {
        client.configuration.logger.info(
            "without the content-addressed store",
            metadata: ["path": "\(location.path)", "reason": "\(error)"])
        // Offered by the Hub, refused by it: a token, or a plan.
        let isToken = error.refusal?.url.contains("/xet-read-token/") ?? false
        files.failed(location.content, isToken ? .token : reason, error.sentence)
    }
}
