import Glibc
import HubClient
import SystemPackage

/// One mount as it was asked for, checked as far as this can be done without the Hub.
struct MountRequest {
    let source: SourceName
    /// Absolute and free of links, as the mount table will show it.
    let mountPoint: String
    let flags: MountFlags
    let environment = Environment()
    let hubEnvironment: HubEnvironment

    /// - Throws: `Failure` for a source that names no repo and a directory that cannot be used.
    init(source: String, directory: String, flags: MountFlags) throws(Failure) {
        self.flags = flags
        hubEnvironment = flags.hub.hubEnvironment(environment)
        self.source = try SourceName(source, endpoint: hubEnvironment.endpoint)
        mountPoint = try MountPath.resolve(directory)
    }

    /// The daemon's command line.
    ///
    /// - Parameter readyFD: Where the daemon reports that the mount works.
    func daemonWords(readyFD: CInt) -> [String] {
        var words = flags.words.filter { $0 != "--" + MountOption.foreground.rawValue }
        words += MountOption.foreground.words() + ["--ready-fd", String(readyFD)]
        return ["mount", source.uri.description, mountPoint] + words
    }

    /// The log file of a daemon in the background, and of one in the foreground that was told to.
    var logPath: String? {
        if let path = flags.logFile { return absolutePath(path) }
        return flags.readyFD == nil ? nil : Self.defaultLogPath(of: mountPoint, environment)
    }

    /// Where a daemon in the background logs, unless told otherwise.
    static func defaultLogPath(of mountPoint: String, _ environment: Environment) -> String {
        environment.logFolder + "/" + MountPath.name(of: mountPoint) + ".log"
    }
}
