import FoundationEssentials
import HTTPTransport
import Testing
import XetCodec

@testable import HubClient

@Suite struct ReconstructionTests {
    private static func sample(_ version: Int) throws -> JSON {
        let folder = String(#filePath.dropLast("ReconstructionTests.swift".count)) + "Samples/"
        let text = try Data(contentsOf: URL(filePath: folder + "reconstruction-v\(version).json"))
        return try #require(JSON(Array(text)))
    }

    @Test(arguments: [1, 2])
    func bothVersionsSayTheSame(version: Int) throws {
        let plan = try Reconstruction(Self.sample(version))
        #expect(plan.skipCount == 4098)
        #expect(plan.byteCount == 39_488 + 86_458 + 119_643)
        let first = "dbc1942af565714b7cb68c6a89b93f03a9eea70f03cc70cc4692b2451014b04b"
        #expect(plan.terms.map(\.numbers) == [84..<86, 0..<1, 87..<88])
        #expect(plan.terms.map { $0.xorb.text == first } == [true, false, true])
        let ranges = plan.ranges.sorted {
            ($0.xorb.text, $0.chunks.lowerBound) < ($1.xorb.text, $1.chunks.lowerBound)
        }
        #expect(ranges.map(\.bytes) == [0...85_888, 4_896_574...4_936_077, 5_022_544...5_142_194])
        #expect(ranges[1].url.text.hasPrefix("https://transfer.example/xorbs/default/\(first)?"))
        let assembly = try TermAssembly(plan, count: plan.byteCount - plan.skipCount)
        #expect(assembly.ranges.map(\.chunks) == [84..<86, 0..<1, 87..<88])
    }

    @Test func anEmptyFileHasNoTerms() throws {
        let text = #"{"offset_into_first_range":0,"terms":[],"xorbs":{}}"#
        let plan = try Reconstruction(#require(JSON(Array(text.utf8))))
        #expect(plan.terms.isEmpty && plan.ranges.isEmpty && plan.byteCount == 0)
    }

    private static let hash = String(repeating: "1", count: 64)

    private static func plan(
        hash: String = hash, start: String = "0", end: String = "2", length: String = "100000",
        url: String = "https://a.example/x", from: String = "0", to: String = "99"
    ) -> String {
        """
        {"offset_into_first_range":0,"terms":[{"hash":"\(hash)","unpacked_length":\(length),
        "range":{"start":\(start),"end":\(end)}}],"xorbs":{"\(Self.hash)":[{"url":"\(url)",
        "ranges":[{"chunks":{"start":0,"end":2},"bytes":{"start":\(from),"end":\(to)}}]}]}}
        """
    }

    @Test(arguments: [
        plan(hash: "12"), plan(start: "2"), plan(end: "8193"), plan(length: "0"),
        plan(length: "262145"), plan(length: "-1"), plan(url: "ftp://a.example/"), plan(url: "x"),
        plan(from: "100"), plan(to: "524304"), "{}", "[]", #"{"terms":[]}"#,
        #"{"offset_into_first_range":0,"terms":[{"hash":1}],"xorbs":{}}"#,
        plan().replacing("xorbs", with: "other"),
    ])
    func whatCannotBeIsAnError(text: String) throws {
        let json = try #require(JSON(Array(text.utf8)))
        #expect(throws: Reconstruction.Invalid.self) { try Reconstruction(json) }
    }

    @Test func whatCanBeIsNone() throws {
        let json = try #require(JSON(Array(Self.plan().utf8)))
        #expect(try Reconstruction(json).terms.count == 1)
    }

    private func access(_ body: String, _ headers: [(String, String)] = []) -> XetAccess? {
        XetAccess(
            HTTPResponse(
                head: HTTPHead(status: 200, headers: headers.map { (name: $0.0, value: $0.1) }),
                body: Array(body.utf8)))
    }

    @Test func aTokenIsReadFromTheBodyElseFromHeaders() throws {
        let body = #"{"casUrl":"https://cas.example/","accessToken":"tok","exp":1900000000}"#
        let told = try #require(access(body))
        #expect(told.base == "https://cas.example" && told.secret == "tok")
        #expect(told.expiresAt == 1_900_000_000)
        let headers = [
            ("X-Xet-Cas-Url", "https://cas.example"), ("X-Xet-Access-Token", "tok"),
            ("X-Xet-Token-Expiration", "1900000000"),
        ]
        #expect(access("", headers) == told)
        #expect(access("", Array(headers.dropLast())) == nil)
        #expect(access(body.replacing("https", with: "file")) == nil)
        #expect(access(body.replacing("tok", with: "to k")) == nil)
        #expect(access(body.replacing("cas.example/", with: "cas.example/?a=b")) == nil)
    }
}
