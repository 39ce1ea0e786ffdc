import Glibc
import HTTPTransport
import Platform
import SystemPackage
import TestSupport
import Testing

@testable import HubClient

/// A client whose Hub is a scripted server; a second one plays the storage.
final class HubFixture: Sendable {
    static let commit = String(repeating: "c", count: 40)
    static let repo = RepoID(kind: .model, name: "org/model")
    static let content: [UInt8] = (0..<200_000).map {
        UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8)
    }

    let hub: RawHTTPServer
    let storage: RawHTTPServer
    let client: HubClient
    private let transport = HTTPTransport()
    private let timers = TimerQueue()

    /// - Parameters:
    ///   - hub: nil answers resolve requests with a redirect to the storage.
    ///   - storage: nil serves `content` as asked.
    init(
        hub: RawHTTPServer.Handler? = nil, storage: RawHTTPServer.Handler? = nil,
        adjust: (inout HubConfiguration) -> Void = { _ in }
    ) {
        let place = RawHTTPServer(hostName: "localhost") { request, index in
            storage?(request, index) ?? .range(of: Self.content, for: request)
        }
        let url = place.url
        self.storage = place
        self.hub = RawHTTPServer { request, index in
            hub?(request, index) ?? Self.redirect(to: url + "/blob?Signature=s\(index)")
        }
        var configuration = HubConfiguration(
            endpoint: self.hub.url, token: FixedToken(Token("hf_secret")))
        // As the defaults, an order of magnitude shorter.
        configuration.timeouts.readSeconds = 3
        configuration.timeouts.stallSeconds = 0.3
        configuration.timeouts.writeSeconds = 4
        configuration.timeouts.writeStallSeconds = 0.5
        configuration.retries.waits = [0.01, 0.02, 0.04, 0.08, 0.08, 0.08]
        adjust(&configuration)
        client = HubClient(configuration: configuration, transport: transport, timers: timers)
    }

    deinit {
        client.close()
        transport.shutdown()
        timers.close()
        hub.close()
        storage.close()
    }

    static func redirect(to url: String) -> RawHTTPServer.Answer {
        .init(302, headers: [("Location", url), ("X-Repo-Commit", commit)])
    }

    func location(_ number: Int = 0) -> ContentLocation {
        let digits = String(number, radix: 16)
        let oid = String(repeating: "0", count: 64 - digits.count) + digits
        return ContentLocation(
            repo: Self.repo, commit: CommitOID(hex: Self.commit)!,
            path: "a b/m\(number).bin",
            content: .lfs(LFSOID(hex: oid)!), size: UInt64(Self.content.count))
    }

    /// Fetches a range and waits for its end.
    func fetch(
        _ range: Range<UInt64>, number: Int = 0, priority: FetchPriority = .demand
    ) -> Fetched {
        let fetched = Fetched(range)
        _ = client.fetch(location(number), range: range, priority: priority, into: fetched)
        fetched.waitForEnd()
        return fetched
    }

    func resolve(_ revision: String = "main") throws(HubError) -> RepoSnapshot {
        try waitForResult(withinSeconds: 20) { completion in
            client.resolve(Self.repo, Revision(revision), completion: completion)
        }
    }

    func list(
        path: String = "", recursive: Bool = true, entryCountMax: Int = 1_000_000,
        priority: FetchPriority = .demand
    ) throws(HubError) -> TreeListing {
        try waitForResult(withinSeconds: 20) { completion in
            client.list(
                Self.repo, at: CommitOID(hex: Self.commit)!, path: path,
                recursive: recursive, entryCountMax: entryCountMax, priority: priority,
                completion: completion)
        }
    }
}

/// A file with some bytes, gone with the value.
final class TestFile: Sendable {
    let file: FileDescriptor
    private let folder = ScratchFolder()

    init(_ bytes: [UInt8] = []) throws {
        file = try FileDescriptor.open(
            folder.path.appending("content"), .readWrite, options: [.create],
            permissions: .ownerReadWrite)
        try file.writeAll(bytes)
    }

    deinit {
        try? file.close()
        folder.remove()
    }

    /// Everything in the file.
    func bytes() throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(try file.status().st_size))
        _ = try bytes.withUnsafeMutableBytes { try file.readWhole(into: $0, at: 0) }
        return bytes
    }
}

/// Takes the bytes of one fetch; records a failure when they come out of order.
final class Fetched: ContentReceiver {
    private struct State {
        var bytes: [UInt8] = []
        var result: Result<Void, HubError>?
        var endCount = 0
    }

    private let range: Range<UInt64>
    private let byteCountMax: Int
    private let state = Monitor(State())

    init(_ range: Range<UInt64>, byteCountMax: Int = .max) {
        self.range = range
        self.byteCountMax = byteCountMax
    }

    var bytes: [UInt8] { state.update { $0.bytes } }
    var endCount: Int { state.update { $0.endCount } }

    /// nil after success.
    var error: HubError? {
        guard case .failure(let error) = state.update({ $0.result }) else { return nil }
        return error
    }

    /// True when exactly the bytes of the range came.
    var isRight: Bool {
        let expected = HubFixture.content[Int(range.lowerBound)..<Int(range.upperBound)]
        return error == nil && endCount == 1 && bytes.elementsEqual(expected)
    }

    /// Fails the test when there is no end within twenty seconds.
    func waitForEnd() {
        let hasEnded = state.wait(until: .now.advanced(bySeconds: 20)) {
            $0.result == nil ? nil : true
        }
        #expect(hasEnded == true)
    }

    func waitForBytes() {
        let hasBytes = state.wait(until: .now.advanced(bySeconds: 20)) {
            $0.bytes.isEmpty ? nil : true
        }
        #expect(hasBytes == true)
    }

    func receive(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) -> Bool {
        state.update { state in
            #expect(offset == range.lowerBound + UInt64(state.bytes.count))
            #expect(state.result == nil)
            state.bytes += bytes
            return state.bytes.count <= byteCountMax
        }
    }

    func finished(_ result: Result<Void, HubError>) {
        state.update { state in
            state.result = result
            state.endCount += 1
        }
    }
}
