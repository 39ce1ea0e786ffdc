import Glibc
import HubClient
import RepoCache
import SystemPackage

/// One mount as it was asked for, checked as far as this can be done without the Hub.
struct MountRequest {
    let source: SourceName
    /// Absolute and free of links, as the mount table will show it.
    let mountPoint: String
    let flags: MountFlags
    let environment = Environment()
    let hubEnvironment: HubEnvironment
    /// What becomes of the orders in which files are read.
    let learning: Learning

    /// - Throws: `Failure` for a source that names no repo and a directory that cannot be used.
    init(source: String, directory: String, flags: MountFlags) throws(Failure) {
        let endpoint = flags.hub.hubEnvironment(Environment()).endpoint
        try self.init(
            source: try SourceName(source, endpoint: endpoint, allowsWholeHub: true),
            directory: directory, flags: flags)
    }

    /// - Throws: `Failure` for a directory that cannot be used.
    init(source: SourceName, directory: String, flags: MountFlags) throws(Failure) {
        self.flags = flags.withWholePaths
        hubEnvironment = flags.hub.hubEnvironment(environment)
        self.source = source
        mountPoint = try MountPath.resolve(directory)
        learning = try Learning(flags, isOffline: hubEnvironment.isOffline)
        try flags.check(showsWholeHub: source.isWholeHub)
        let showsBucket = !source.isWholeHub && source.uri.repo.kind == .bucket
        try flags.check(showsBucket: showsBucket)
        if flags.follow != nil, !showsBucket { try checkFollowing() }
    }

    private func checkFollowing() throws(Failure) {
        let revision = source.revision.name
        if CommitOID(hex: revision) != nil { throw Failure(nothingToFollow: revision) }
    }

    /// The log file of a daemon in the background, and of one in the foreground that was told to.
    func logPath(isInBackground: Bool) -> String? {
        flags.logFile ?? (isInBackground ? Self.defaultLogPath(of: mountPoint, environment) : nil)
    }

    /// Where a daemon in the background logs, unless told otherwise.
    static func defaultLogPath(of mountPoint: String, _ environment: Environment) -> String {
        environment.logFolder + "/" + MountPath.name(of: mountPoint) + ".log"
    }
}
