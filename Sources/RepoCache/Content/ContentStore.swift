package import HubClient
import Logging
import Platform
import SystemPackage

/// Every content this cache has or can get.
package final class ContentStore: Sendable {
    let services: ContentServices
    let registry = ContentRegistry()
    let useLog: UseLog

    init(services: ContentServices, useLog: UseLog) {
        self.services = services
        self.useLog = useLog
    }

    /// Opens a content for reading; every `open` needs one `OpenContent.close`.
    ///
    /// Readers of one content share one object. Nothing is fetched before the first read. Does
    /// local file calls on the calling thread.
    package func open(_ location: ContentLocation) throws(CacheError) -> OpenContent {
        services.opened(location)
        useLog.note(location)
        return try openAhead(location)
    }

    /// Opens a content for somebody who may read it later: no use of it yet.
    func openAhead(_ location: ContentLocation) throws(CacheError) -> OpenContent {
        if let content = try registry.retain(location.content) { return content }
        let made = OpenContent(
            location, number: registry.nextNumber(), body: try body(for: location),
            services: services, registry: registry)
        let content = try registry.insert(made)
        if content === made { made.begin() }
        return content
    }

    /// Sets who is told that a content was dropped because its bytes were wrong. Called without
    /// locks, on any thread of the cache or of the origin; reads of that content fail already.
    package func onContentDropped(_ body: @escaping @Sendable (ContentID) -> Void) {
        services.setHooks(onContentDropped: body)
    }

    /// Bytes of a content that are on disk here, without opening it for reading.
    package func presentBytes(of content: ContentID, size: UInt64) -> UInt64 {
        if let open = registry.find(content) { return open.presentBytes }
        if size < SmallContents.sizeMax {
            return services.small.holds(content) ? size : 0
        }
        return ContentFile.presentBytes(of: content, in: services.folder)
    }

    /// Bytes of a content that can be read without the Hub: those on disk here, or in the official
    /// client's cache.
    package func presentBytes(of location: ContentLocation) -> UInt64 {
        let own = presentBytes(of: location.content, size: location.size)
        guard own < location.size, let lower = services.lower else { return own }
        return lower.holds(location) ? location.size : own
    }

    private func body(for location: ContentLocation) throws(CacheError) -> OpenContent.Body {
        if let lower = lowerBody(for: location) { return lower }
        guard location.size >= SmallContents.sizeMax else { return .row }
        do {
            return .file(
                try ContentFile.open(
                    location.content, size: location.size, in: services.folder,
                    bootID: services.configuration.bootID, ledger: services.ledger))
        } catch .disk(.noSpace, let path) {
            services.logger.debug("\(path): there is no room, nothing of it is kept")
            return .memory
        }
    }

    /// The official client's file, unless all of the content is here.
    private func lowerBody(for location: ContentLocation) -> OpenContent.Body? {
        guard services.lower != nil, location.size > 0 else { return nil }
        if location.size < SmallContents.sizeMax {
            if services.small.isInMemory(location.content) { return nil }
        } else if ContentFile.isSealed(location.content, in: services.folder) {
            return nil
        }
        return services.lowerFile(of: location, servesWhole: services.servesWhole(location))
            .map { .lower($0) }
    }

    /// Answers every read that is parked now with `.closed`. Contents that are opened afterwards,
    /// when those that were open have been closed, can be read.
    package func endReads() {
        for content in registry.allOpen { content.retire() }
    }

    /// Answers every parked read with `.closed`, for good.
    func close() {
        services.beginClosing()
        for content in registry.close() { content.retire() }
        services.close()
    }
}

extension OpenContent {
    /// Starts what a content needs when it is first opened here.
    func begin() {
        takeOverUnread()
        if state == .checking { startChecking() } else if !servesWhole { verifyIfWhole() }
    }
}
