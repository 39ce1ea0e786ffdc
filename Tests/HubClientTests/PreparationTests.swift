import Platform
import TestSupport
import Testing

@testable import HubClient

/// What a commit asks before it sends: preupload, metadata, LFS batches.
struct PreparationTests {
    private static let repo = HubFixture.repo
    private static let files = [
        PreuploadFile(path: "dir/a \"b\".txt", size: 3, sample: [1, 2, 3]),
        PreuploadFile(path: "empty.bin", size: 0, sample: []),
        PreuploadFile(path: "m.bin", size: 9_000, sample: [UInt8](repeating: 65, count: 512)),
    ]

    private func preupload(
        _ fixture: HubFixture, _ revision: String = "main", gitIgnore: String? = nil,
        createsPullRequest: Bool = false
    ) throws(HubError) -> [PreuploadVerdict] {
        try waitForResult(withinSeconds: 20) { completion in
            fixture.client.preupload(
                Self.repo, to: Revision(revision), files: Self.files, gitIgnore: gitIgnore,
                createsPullRequest: createsPullRequest, completion: completion)
        }
    }

    /// In another order than asked, with members that nobody knows.
    private static let verdicts = """
        {"files":[
          {"path":"m.bin","uploadMode":"lfs","shouldIgnore":false,"oid":"\(sha)","x":1},
          {"path":"empty.bin","uploadMode":"lfs","shouldIgnore":true},
          {"path":"dir/a \\"b\\".txt","uploadMode":"regular","shouldIgnore":false,
           "oid":"\(HubFixture.commit)"}]}
        """
    private static let sha = String(repeating: "d", count: 64)

    @Test func filesAreAskedAboutAsTheHubExpects() throws {
        let fixture = HubFixture(hub: { _, _ in .init(200, json: Self.verdicts) })
        _ = try preupload(fixture, "refs/pr/3", gitIgnore: "*.log\n")
        let asked = try #require(fixture.hub.requests.first)
        #expect(asked.method == "POST")
        #expect(asked.target == "/api/models/org/model/preupload/refs%2Fpr%2F3")
        #expect(asked.headers["authorization"] == "Bearer hf_secret")
        #expect(asked.headers["content-type"] == "application/json")
        let sample = base64([UInt8](repeating: 65, count: 512))
        #expect(
            String(decoding: asked.body, as: UTF8.self)
                == #"{"files":[{"path":"dir/a \"b\".txt","sample":"AQID","size":3},"#
                + #"{"path":"empty.bin","sample":"","size":0},"#
                + #"{"path":"m.bin","sample":""# + sample + #"","size":9000}],"#
                + #""gitIgnore":"*.log\u000a"}"#)
    }

    @Test func verdictsComeInTheOrderOfTheFiles() throws {
        let fixture = HubFixture(hub: { _, _ in .init(200, json: Self.verdicts) })
        let found = try preupload(fixture, createsPullRequest: true)
        #expect(fixture.hub.requests[0].target.hasSuffix("/preupload/main?create_pr=1"))
        #expect(
            found == [
                PreuploadVerdict(
                    path: "dir/a \"b\".txt", mode: .regular, isIgnored: false,
                    current: .git(BlobOID(hex: HubFixture.commit)!)),
                // There is no empty LFS object, whatever the Hub says.
                PreuploadVerdict(
                    path: "empty.bin", mode: .regular, isIgnored: true, current: nil),
                PreuploadVerdict(
                    path: "m.bin", mode: .lfs, isIgnored: false,
                    current: .lfs(LFSOID(hex: Self.sha)!)),
            ])
    }

    @Test(arguments: [
        "{}", "[]", #"{"files":[]}"#,
        #"{"files":[{"path":"m.bin","uploadMode":"other","shouldIgnore":false}]}"#,
    ])
    func aMissingVerdictIsMalformed(answer: String) {
        let fixture = HubFixture(hub: { _, _ in .init(200, json: answer) })
        let found = Result { () throws(HubError) in try preupload(fixture) }
        guard case .failure(.malformed) = found else {
            Issue.record("\(found)")
            return
        }
    }

    @Test(arguments: [408, 429, 500, 502, 503, 504])
    func aBusyHubIsAskedAgainWithTheSameBody(status: Int) throws {
        let fixture = HubFixture(hub: { _, index in
            index < 2 ? .init(status) : .init(200, json: Self.verdicts)
        })
        #expect(try preupload(fixture).count == 3)
        let bodies = fixture.hub.requests.map(\.body)
        #expect(bodies.count == 3)
        #expect(Set(bodies).count == 1)
    }

    @Test func noRightToWriteIsToldAtOnce() throws {
        let message = "Forbidden: you must use a write token"
        let fixture = HubFixture(hub: { _, _ in
            .init(403, json: "{\"error\":\"\(message)\"}")
        })
        let found = Result { () throws(HubError) in try preupload(fixture) }
        guard case .failure(.forbidden(let refusal)) = found else {
            Issue.record("\(found)")
            return
        }
        #expect(refusal.message == message)
        #expect(fixture.hub.requests.count == 1)
    }

    @Test func aRenamedRepoIsFollowedWithMethodAndBody() throws {
        let fixture = HubFixture(hub: { request, _ in
            guard request.path.hasPrefix("/api/models/org/model/") else {
                return .init(200, json: Self.verdicts)
            }
            let rest = request.target.dropFirst("/api/models/org/model".count)
            return .init(307, headers: [("Location", "/api/models/org/new\(rest)")])
        })
        #expect(try preupload(fixture).count == 3)
        let requests = fixture.hub.requests
        #expect(requests.map(\.method) == ["POST", "POST"])
        #expect(requests[0].body == requests[1].body)
    }

    @Test(arguments: [302, 307])
    func nothingWrittenIsRedirectedElsewhere(status: Int) {
        let other = RawHTTPServer(hostName: "localhost") { _, _ in
            .init(200, json: Self.verdicts)
        }
        defer { other.close() }
        let url = other.url
        let fixture = HubFixture(hub: { request, index in
            status == 302
                ? .init(302, headers: [("Location", "/elsewhere")])
                : .init(307, headers: [("Location", url + request.target)])
        })
        let found = Result { () throws(HubError) in try preupload(fixture) }
        guard case .failure(.malformed) = found else {
            Issue.record("\(found)")
            return
        }
        #expect(other.requests.isEmpty)
        #expect(fixture.hub.requests.count == 1)
    }

    // MARK: Metadata

    private func validate(_ answer: RawHTTPServer.Answer) throws(HubError) -> YAMLVerdict {
        let fixture = HubFixture(hub: { _, _ in answer })
        defer {
            #expect(fixture.hub.requests.map(\.target) == ["/api/validate-yaml"])
            #expect(
                fixture.hub.requests[0].body
                    == Array(#"{"content":"---\u000ax: 1","repoType":"dataset"}"#.utf8))
        }
        return try waitForResult(withinSeconds: 20) {
            fixture.client.validateYAML("---\nx: 1", of: .dataset, completion: $0)
        }
    }

    @Test func metadataIsJudged() throws {
        let good = try validate(.init(200, json: #"{"errors":[],"warnings":[]}"#))
        #expect(good == YAMLVerdict(errors: [], warnings: []))
        let warned = try validate(
            .init(200, json: #"{"errors":[],"warnings":[{"message":"w"},"v"]}"#))
        #expect(warned == YAMLVerdict(errors: [], warnings: ["w", "v"]))
        let bad = try validate(
            .init(400, json: #"{"errors":[{"message":"e"}],"warnings":[]}"#))
        #expect(bad == YAMLVerdict(errors: ["e"], warnings: []))
    }

    @Test func aRefusalWithoutErrorsIsARefusal() {
        #expect(throws: HubError.self) { try validate(.init(400, json: #"{"error":"x"}"#)) }
        #expect(throws: HubError.self) { try validate(.init(200, json: "{}")) }
    }

    // MARK: LFS batches

    private static let objects = ["a", "b", "c"].enumerated().map { index, digit in
        LFSObject(
            oid: LFSOID(hex: String(repeating: digit, count: 64))!, size: UInt64(index + 5))
    }

    private func batch(
        _ fixture: HubFixture, _ revision: Revision? = .main
    ) throws(HubError) -> [LFSVerdict] {
        try waitForResult(withinSeconds: 20) { completion in
            fixture.client.lfsBatch(
                RepoID(kind: .dataset, name: "org/ds"), to: revision, objects: Self.objects,
                completion: completion)
        }
    }

    private static func row(_ index: Int, _ rest: String) -> String {
        #"{"oid":"\#(objects[index].oid.hex)","size":\#(objects[index].size)\#(rest)}"#
    }

    private static func answer(_ rows: String...) -> RawHTTPServer.Answer {
        .init(200, json: #"{"transfer":"x","objects":[\#(rows.joined(separator: ","))]}"#)
    }

    @Test func objectsAreAskedAboutAsGitLFSDoes() throws {
        let fixture = HubFixture(hub: { _, _ in
            Self.answer(
                Self.row(
                    2, #","actions":{"upload":{"href":"https://s3/x?Signature=secret"}}"#),
                Self.row(0, #","authenticated":true"#),
                Self.row(1, #","error":{"code":422,"message":"too large"}"#))
        })
        let verdicts = try batch(fixture, Revision("feat/x"))
        let asked = try #require(fixture.hub.requests.first)
        #expect(asked.target == "/datasets/org/ds.git/info/lfs/objects/batch")
        #expect(asked.headers["content-type"] == "application/vnd.git-lfs+json")
        #expect(asked.headers["accept"] == "application/vnd.git-lfs+json")
        #expect(asked.headers["authorization"] == "Bearer hf_secret")
        let rows = Self.objects.map { "{\"oid\":\"\($0.oid.hex)\",\"size\":\($0.size)}" }
        #expect(
            String(decoding: asked.body, as: UTF8.self)
                == #"{"operation":"upload","transfers":["basic","multipart"],"objects":["#
                + rows.joined(separator: ",")
                + #"],"hash_algo":"sha256","ref":{"name":"feat/x"}}"#)
        guard case .present = verdicts[0], case .refused(422, "too large") = verdicts[1],
            case .upload(let upload) = verdicts[2], case .single(let url) = upload.way
        else {
            Issue.record("\(verdicts)")
            return
        }
        #expect(url.text == "https://s3/x?Signature=secret")
        #expect(!"\(verdicts)".contains("secret"))
        #expect(upload.verify == nil)
    }

    @Test func aPullRequestToBeHasNoRef() throws {
        let fixture = HubFixture(hub: { _, _ in
            Self.answer(Self.row(0, ""), Self.row(1, ""), Self.row(2, ""))
        })
        _ = try batch(fixture, nil)
        let body = String(decoding: fixture.hub.requests[0].body, as: UTF8.self)
        #expect(!body.contains("\"ref\""))
    }

    private func upload(_ actions: String, size: UInt64) throws -> LFSUpload {
        let routes = try #require(HubRoutes(endpoint: "http://hub:80/base"))
        let json = try #require(JSON(Array(actions.utf8)))
        return try LFSUpload(
            json, of: LFSObject(oid: Self.objects[0].oid, size: size), routes: routes)
    }

    @Test func partsAreSortedByNumber() throws {
        let actions = """
            {"upload":{"href":"https://huggingface.co/api/complete_multipart?u=1","header":
              {"chunk_size":"4","00010":"http://s3/10","2":"http://s3/2","00003":"http://s3/3"}},
             "verify":{"href":"https://huggingface.co/org/ds.git/info/lfs/verify"}}
            """
        let parts = try upload(actions, size: 9)
        guard case .parts(let urls, let byteCount, let complete) = parts.way else {
            Issue.record("no parts")
            return
        }
        #expect(urls.map(\.text) == ["http://s3/2", "http://s3/3", "http://s3/10"])
        #expect(byteCount == 4)
        // The public Hub's name stands for the endpoint in use.
        #expect(complete.text == "http://hub/base/api/complete_multipart?u=1")
        #expect(parts.verify?.text == "http://hub/base/org/ds.git/info/lfs/verify")
        #expect(parts.ranges == [0..<4, 4..<8, 8..<9])
        let number = #"{"upload":{"href":"http://c/","header":{"chunk_size":4,"1":"http://s3/"}}}"#
        #expect(try upload(number, size: 4).ranges == [0..<4])
    }

    @Test(arguments: [
        #"{"upload":{}}"#, #"{"upload":{"href":"ftp://x"}}"#,
        #"{"upload":{"href":"http://c/","header":{"chunk_size":"0","1":"http://s3/"}}}"#,
        #"{"upload":{"href":"http://c/","header":{"chunk_size":"x","1":"http://s3/"}}}"#,
        #"{"upload":{"href":"http://c/","header":{"chunk_size":"4","1":"http://s3/"}}}"#,
        #"{"upload":{"href":"http://c/","header":{"chunk_size":"9","1":"http://a/","2":"http://b/"}}}"#,
        #"{"upload":{"href":"http://c/","header":{"chunk_size":"9","1":7}}}"#,
        #"{"upload":{"href":"http://c/"},"verify":{}}"#,
    ])
    func actionsThatDoNotFitAreRefused(actions: String) {
        #expect(throws: LFSUpload.Invalid.self) { try upload(actions, size: 9) }
    }

    @Test func anObjectWithoutVerdictIsMalformed() {
        let fixture = HubFixture(hub: { _, _ in Self.answer(Self.row(0, "")) })
        let found = Result { () throws(HubError) in try batch(fixture) }
        guard case .failure(.malformed) = found else {
            Issue.record("\(found)")
            return
        }
    }
}
