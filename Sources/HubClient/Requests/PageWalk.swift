import HTTPTransport
import Platform

/// Collects the pages of one listing.
final class PageWalk<Entry: Sendable>: Sendable {
    /// All of the listing, or as much of it as was wanted.
    typealias Pages = (entries: [Entry], isWhole: Bool)

    private struct State {
        var entries: [Entry] = []
        var askedURLs: Set<WebURL> = []
        var emptyPageCount = 0
    }

    private enum Step {
        case more(WebURL)
        case whole([Entry])
        case cut([Entry])
        case looping
    }

    /// Pages without an entry that may follow each other.
    private static var emptyPageCountMax: Int { 8 }

    private let client: HubClient
    private let entryCountMax: Int
    private let priority: FetchPriority
    private let read: @Sendable ([UInt8]) throws(TreePage.Invalid) -> [Entry]
    private let completion: @Sendable (Result<Pages, HubError>) -> Void
    private let state = Guarded(State(), rank: .hub)

    /// - Parameters:
    ///   - entryCountMax: A listing that grows past this ends early.
    ///   - read: What a page lists.
    init(
        client: HubClient, entryCountMax: Int, priority: FetchPriority,
        read: @escaping @Sendable ([UInt8]) throws(TreePage.Invalid) -> [Entry],
        completion: @escaping @Sendable (Result<Pages, HubError>) -> Void
    ) {
        self.client = client
        self.entryCountMax = entryCountMax
        self.priority = priority
        self.read = read
        self.completion = completion
    }

    func ask(_ url: WebURL?) {
        client.ask(url, priority, completion: completion) { [self] answer in page(answer) }
    }

    private func page(_ answer: Exchange.Answer) {
        let entries: [Entry]
        do throws(TreePage.Invalid) {
            entries = try read(answer.response.body)
        } catch {
            return completion(.failure(answer.malformed(error.reason)))
        }
        var next: WebURL?
        if let link = answer.response.head["link"].flatMap(nextLink) {
            next = answer.url.resolving(link)
            // The rest of a listing from another server would be another server's listing.
            guard let next, client.routes?.isOurs(next) == true else {
                return completion(.failure(answer.malformed("the next page is on another server")))
            }
        }
        switch take(entries, from: answer.url, next: next) {
        case .more(let url): ask(url)
        case .whole(let all): completion(.success((all, true)))
        case .cut(let some): completion(.success((some, false)))
        case .looping: completion(.failure(answer.malformed("the pages lead in a circle")))
        }
    }

    private func take(_ entries: [Entry], from url: WebURL, next: WebURL?) -> Step {
        state.withLock { state in
            state.askedURLs.insert(url)
            state.emptyPageCount = entries.isEmpty ? state.emptyPageCount + 1 : 0
            state.entries += entries
            // At the bound another page would be asked for in vain.
            let isFull = state.entries.count == entryCountMax && next != nil
            if isFull || state.entries.count > entryCountMax {
                return .cut(Array(state.entries.prefix(entryCountMax)))
            }
            guard let next else { return .whole(state.entries) }
            let isNew = !state.askedURLs.contains(next)
            return isNew && state.emptyPageCount <= Self.emptyPageCountMax ? .more(next) : .looping
        }
    }
}
