import ArgumentParser
import Dispatch
import Foundation
import LocalHub

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve the Hub in a folder until SIGINT or SIGTERM.")

    @OptionGroup var folder: FolderOption

    @Option(
        help: ArgumentHelp("Address of the Hub; port 0 takes a free one.", valueName: "host:port"))
    var listen = HostPort(host: "127.0.0.1", port: 0)

    @Option(
        help: ArgumentHelp(
            "Address of the CDN, under another host name than the Hub's.", valueName: "host:port"))
    var cdnListen = HostPort(host: "localhost", port: 0)

    @Option(
        help: ArgumentHelp(
            "Send downloads to another server, which has the objects at the CDN's paths.",
            valueName: "url"))
    var cdnOrigin: String?

    @Option(help: "Write {\"endpoint\", \"cdn\", \"pid\"} as JSON to this file when ready.")
    var readyFile: String?

    @Option(help: "Seconds a CDN URL lives.")
    var urlLifetime = 3600

    @Option(help: "Entries of a tree page at most.")
    var pageSize = 1000

    @Option(
        help: ArgumentHelp(
            "Upload LFS objects larger than this in parts: 20MB, 64KiB.", valueName: "bytes"))
    var multipartThreshold = Bytes(value: PartRule().threshold)

    @Option(help: ArgumentHelp("Bytes of each part but the last.", valueName: "bytes"))
    var partSize = Bytes(value: PartRule().partSize)

    @Option(
        help: ArgumentHelp(
            "Requests per 5 minutes for api, resolvers or pages; may be repeated.",
            valueName: "class=count"))
    var rateLimit: [Quota] = []

    @Flag(help: "Offer large files by Xet too.")
    var xet = false

    @Option(
        help: ArgumentHelp("With --xet: seconds a token of the CAS lives.", valueName: "seconds"))
    var xetTokenLifetime = XetOptions().tokenLifetimeSeconds

    @Flag(help: "With --xet: nobody can follow buckets; the question is answered with 404.")
    var noBucketEvents = false

    @Option(
        help: ArgumentHelp(
            "With --xet: changes of a bucket that its followers can go back to.",
            valueName: "count"))
    var bucketChanges = XetOptions().bucketChangesKept

    @Option(
        help: ArgumentHelp(
            "Make every connection such a link from the start: rtt=20ms,window=2900KB.",
            valueName: "link"))
    var link: Link?

    func validate() throws {
        guard urlLifetime > 0, pageSize > 0, partSize.value > 0, xetTokenLifetime > 0,
            bucketChanges > 0
        else {
            throw ValidationError(
                "--url-lifetime, --page-size, --part-size, --xet-token-lifetime and --bucket-changes "
                    + "are at least 1.")
        }
    }

    func run() async throws {
        var options = LocalHubServer.Options()
        options.host = listen.host
        options.port = listen.port
        options.cdnHost = cdnListen.host
        options.cdnPort = cdnListen.port
        options.downloadOrigin = cdnOrigin
        options.urlLifetimeSeconds = urlLifetime
        options.pageSizeMax = pageSize
        options.parts = PartRule(
            threshold: multipartThreshold.value, partSize: partSize.value)
        options.quotas = Dictionary(
            rateLimit.map { ($0.name, $0.count) }, uniquingKeysWith: { $1 })
        if xet {
            var xet = XetOptions(tokenLifetimeSeconds: xetTokenLifetime)
            xet.hasBucketEvents = !noBucketEvents
            xet.bucketChangesKept = bucketChanges
            options.xet = xet
        }
        let signals = StopSignals()
        let server = try await LocalHubServer.start(root: folder.root, options: options)
        if let link { server.faults.add(Fault(.link(link))) }
        if let readyFile {
            try RunFile(endpoint: server.endpoint, cdn: server.cdnEndpoint).write(to: readyFile)
        }
        print(
            "localhub: serving \(server.endpoint) (CDN \(server.cdnEndpoint)) "
                + "from \(server.hub.folder.root)")
        fflush(nil)
        for await _ in signals.arrivals { break }
        await server.stop()
        if let readyFile { try? FileManager.default.removeItem(atPath: readyFile) }
    }
}

/// SIGINT and SIGTERM as something to wait for; a second one ends the process at once.
private final class StopSignals {
    let arrivals: AsyncStream<Void>
    private let sources: [any DispatchSourceSignal]

    init() {
        let (arrivals, continuation) = AsyncStream.makeStream(of: Void.self)
        self.arrivals = arrivals
        sources = [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number)
            source.setEventHandler {
                signal(number, SIG_DFL)
                continuation.yield()
            }
            source.resume()
            return source
        }
    }
}
