import Glibc
import HTTPTransport
import HubClient
import Logging
import Platform
import RepoCache
import SystemPackage
import WriteBack

extension Environment {
    /// How servers are spoken to: whom their certificates are trusted by.
    var transportConfiguration: HTTPTransport.Configuration {
        var configuration = HTTPTransport.Configuration()
        configuration.authorities = CertificateAuthorities(environment: variables)
        return configuration
    }

    /// Tells which contents edits stand on, of every workspace of this user.
    var pins: @Sendable () -> Set<ContentID> {
        { [state = FilePath(stateFolder)] in Journal.baseContents(in: state) }
    }
}

/// The composition root: everything below a mount or a command, built from the bottom up and closed
/// from the top down.
///
/// `HTTPTransport` -> `HubClient` -> `XetOrigin` -> `RepoCache`; `RepoMount` stands above it, see `MountDaemon`.
struct HubAccess {
    let client: HubClient
    let cache: RepoCache
    let cachePath: String
    /// True when no token is known now.
    let isAnonymous: Bool
    /// Fetches chunks; nil when they are not to be used.
    let chunks: XetOrigin?
    private let transport: HTTPTransport
    private let timers: TimerQueue

    /// - Parameter goesOnOpening: Parts of the cache are opened beside what comes next: see
    ///   `RepoCache.awaitOpening`.
    /// - Throws: `Failure` when the cache cannot be used. The Hub is not asked yet.
    init(
        hub: HubOptions, cache cacheOptions: CacheOptions, environment: Environment, logger: Logger,
        goesOnOpening: Bool = false
    ) throws(Failure) {
        let hubEnvironment = hub.hubEnvironment(environment)
        var configuration = HubConfiguration(
            endpoint: hubEnvironment.endpoint, token: hubEnvironment.token)
        configuration.isOffline = hubEnvironment.isOffline
        configuration.uploadsByXet = !hubEnvironment.ignoresXet
        if let timeout = hub.readTimeout { configuration.timeouts.readSeconds = timeout.value }
        configuration.waitFactor = Self.waitFactor(environment)
        isAnonymous = hubEnvironment.token.token == nil
        try Self.check(hubEnvironment, hub)

        let root = try Self.cacheRoot(cacheOptions.cacheDir, environment)
        cachePath = root.string
        var cacheConfiguration = CacheConfiguration(root: root)
        cacheConfiguration.endpoint = configuration.endpoint
        cacheConfiguration.sizeLimitBytes = cacheOptions.cacheSize?.bytes
        if let free = cacheOptions.cacheFree { cacheConfiguration.freeFloorBytes = free.bytes }
        if !cacheOptions.ignoresHfCache {
            cacheConfiguration.lowerRoot = FilePath(hubEnvironment.officialCachePath)
        }
        cacheConfiguration.pins = environment.pins
        cacheConfiguration.readTimeoutSeconds = configuration.timeouts.readSeconds

        transport = HTTPTransport(configuration: environment.transportConfiguration)
        timers = TimerQueue()
        client = HubClient(configuration: configuration, transport: transport, timers: timers)
        chunks = hubEnvironment.ignoresXet ? nil : XetOrigin(client)
        do throws(CacheError) {
            cache = try RepoCache(
                configuration: cacheConfiguration, contents: chunks ?? client, trees: client,
                chunks: chunks, timers: timers, logger: logger)
            if !goesOnOpening { try cache.awaitOpening() }
        } catch {
            chunks?.close()
            transport.shutdown()
            timers.close()
            throw Failure(error, isAnonymous: isAnonymous)
        }
    }

    /// Ends what was built, the cache first unless it is closed already. Call once.
    func close(cacheIsClosed: Bool = false) {
        if !cacheIsClosed { cache.close() }
        client.close()
        chunks?.close()
        transport.shutdown()
        timers.close()
    }

    /// The cache folder in force.
    ///
    /// - Parameter folder: What `--cache-dir` says.
    static func cacheRoot(
        _ folder: String?, _ environment: Environment
    ) throws(Failure) -> FilePath {
        if let folder { return FilePath(absolutePath(folder)) }
        guard let root = CacheConfiguration.root(environment: environment.variables) else {
            throw Failure(
                .localStorage, "there is no place for a cache: set HUBFS_CACHE or HOME")
        }
        return FilePath(absolutePath(root.string))
    }

    /// Tests of faults do not wait as long as people do for a Hub that is ill: a debug build takes
    /// `HUBFS_WAIT_FACTOR`.
    private static func waitFactor(_ environment: Environment) -> Double {
        #if DEBUG
            environment["HUBFS_WAIT_FACTOR"].flatMap { Double($0) } ?? 1
        #else
            1
        #endif
    }

    /// A token file named on the command line has to be there: asking anonymously instead would
    /// give an answer nobody understands.
    private static func check(_ found: HubEnvironment, _ options: HubOptions) throws(Failure) {
        guard let file = options.tokenFile, found.token.token == nil else { return }
        throw Failure(.accessRefused, "there is no token in the file \(file) (--token-file)")
    }
}
