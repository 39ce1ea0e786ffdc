import HubClient
import RepoCache
import SystemPackage
import Testing

@testable import RepoFS

@Suite struct ErrnoMappingTests {
    private static let refusal = HubError.Refusal(
        status: 418, message: "teapot", requestID: "r1", url: "http://hub/x")

    @Test(arguments: [
        (HubError.repoNotFound(refusal), Errno.noSuchFileOrDirectory),
        (.revisionNotFound(refusal), .noSuchFileOrDirectory),
        (.entryNotFound(refusal), .noSuchFileOrDirectory),
        (.gated(refusal), .permissionDenied),
        (.badToken(refusal), .permissionDenied),
        (.forbidden(refusal), .permissionDenied),
        (.rateLimited(refusal), .ioError),
        (.status(refusal), .ioError),
        (.unreachable(url: "u", reason: "r"), .ioError),
        (.malformed(url: "u", reason: "r"), .ioError),
        (.offline, .networkUnreachable),
        (.cancelled, .interrupted),
    ])
    func theHubsErrors(_ error: HubError, _ expected: Errno) {
        #expect(error.errno == expected)
        #expect(CacheError.hub(error).errno == expected)
    }

    @Test func theCachesErrors() {
        let content = ContentID.git(BlobOID(hex: String(repeating: "a", count: 40))!)
        #expect(CacheError.integrity(content).errno == .ioError)
        #expect(CacheError.timedOut(content, offset: 0, count: 1).errno == .ioError)
        #expect(CacheError.full(content).errno == .noSpace)
        #expect(CacheError.disk(.noSpace, path: "p").errno == .noSpace)
        #expect(CacheError.disk(.permissionDenied, path: "p").errno == .ioError)
        #expect(CacheError.closed.errno == .ioError)
        #expect(CacheError.cancelled.errno == .interrupted)
    }

    @Test func theTreesErrors() {
        #expect(CatalogueError.absent.errno == .noSuchFileOrDirectory)
        // Nobody has said that it is absent.
        #expect(CatalogueError.busy.errno == .resourceTemporarilyUnavailable)
        #expect(CatalogueError.cache(.hub(.offline)).errno == .networkUnreachable)
        let refusal = HubError.Refusal(status: 404, message: "", requestID: "", url: "")
        for error in [HubError.repoNotFound(refusal), .revisionNotFound(refusal)] {
            #expect(CatalogueError(.hub(error)) == .absent)
        }
        #expect(CatalogueError(.hub(.forbidden(refusal))).errno == .permissionDenied)
    }

    @Test func onlyWhatTheHubHasSaidIsRemembered() {
        let refusal = HubError.Refusal(status: 503, message: "", requestID: "", url: "")
        #expect(CatalogueError.absent.isVerdict)
        #expect(CatalogueError.cache(.hub(.gated(refusal))).isVerdict)
        let others: [CatalogueError] = [
            .busy, .cache(.closed), .cache(.hub(.offline)), .cache(.hub(.cancelled)),
            .cache(.hub(.status(refusal))), .cache(.hub(.unreachable(url: "u", reason: "r"))),
        ]
        for error in others { #expect(!error.isVerdict) }
    }
}
