import HubClient
import Platform
import RepoCache
import SystemPackage

/// The files one argument of `hubfs warm` stands for, in the cache they belong to.
struct WarmSource {
    let browser: RepoBrowser
    let hub: HubAccess
    let files: [RepoBrowser.Item]
}

/// What the arguments of `hubfs warm` stand for: repos by their addresses, and directories or files
/// below a mount, which go into that mount's cache.
final class WarmSources {
    private static let answerPatienceSeconds = 5.0

    private(set) var sources: [WarmSource] = []
    private let hubOptions: HubOptions
    private let cacheOptions: CacheOptions
    private let environment = Environment()
    /// What was opened, by endpoint and cache folder.
    private var accesses: [String: HubAccess] = [:]

    init(_ hubOptions: HubOptions, _ cacheOptions: CacheOptions) {
        self.hubOptions = hubOptions
        self.cacheOptions = cacheOptions
    }

    /// Looks an argument up and adds the files of it that are meant.
    func add(_ argument: String, _ selection: FileSelection) throws(Failure) {
        let (source, hub, cache) = try meaning(of: argument)
        let access = try access(hub, cache)
        let browser = try RepoBrowser(source, access)
        let files = try browser.files(below: try browser.item(at: source.uri.path))
        sources.append(
            WarmSource(
                browser: browser, hub: access,
                files: try selection.select(files, of: "\(source.uri)")))
    }

    /// Closes every cache. Call once.
    func close() {
        for access in accesses.values { access.close() }
    }

    private func access(
        _ hub: HubOptions, _ cache: CacheOptions
    ) throws(Failure) -> HubAccess {
        let root = try HubAccess.cacheRoot(cache.cacheDir, environment)
        let key = hub.hubEnvironment(environment).endpoint + "\n" + root.string
        if let known = accesses[key] { return known }
        let access = try HubAccess(
            hub: hub, cache: cache, environment: environment, logger: quietLogger)
        accesses[key] = access
        return access
    }

    private func meaning(
        of argument: String
    ) throws(Failure) -> (SourceName, HubOptions, CacheOptions) {
        if !argument.contains("://") {
            if let place = MountPath.split(argument) {
                return try meaning(ofMountAt: place.mountPoint, place.inside)
            }
            if argument.hasPrefix("/") || argument.hasPrefix(".") {
                throw Failure(.mountPoint, "\(argument) is in no mount of hubfs")
            }
        }
        let endpoint = hubOptions.hubEnvironment(environment).endpoint
        return (try SourceName(argument, endpoint: endpoint), hubOptions, cacheOptions)
    }

    /// The commit a mount shows, with the Hub and the cache it uses.
    private func meaning(
        ofMountAt mountPoint: String, _ inside: String
    ) throws(Failure) -> (SourceName, HubOptions, CacheOptions) {
        let deadline = MonotonicInstant.now.advanced(bySeconds: Self.answerPatienceSeconds)
        let report = MountReport.ask([mountPoint], ControlFolder.existing(environment), deadline)[0]
        let status: MountStatus
        switch report.state {
        case .answered(let answer): status = answer
        case .silent(let silence):
            throw Failure(
                silence == .hangs ? .timedOut : .mountPoint, "\(mountPoint): \(silence.sentence)")
        }
        var (hub, cache) = (hubOptions, cacheOptions)
        hub.endpoint = status.endpoint
        cache.cacheDir = status.cachePath
        if let tree = status.tree {
            // In the whole Hub's tree a path is an address.
            let uri = try SourceName("hf://" + inside, endpoint: status.endpoint).uri
            return (SourceName(tree.pinned(uri)), hub, cache)
        }
        let repo = try SourceName(status.repo, endpoint: status.endpoint).uri.repo
        let path = [status.path, inside].filter { !$0.isEmpty }.joined(separator: "/")
        let uri = HubURI(repo: repo, revision: Revision(status.commit), path: path)
        return (SourceName(uri), hub, cache)
    }
}
