import Testing

@testable import HubClient

struct WireTests {
    @Test(arguments: [
        ("1970-01-01T00:00:00Z", Int64(0)),
        ("2026-01-02T03:04:05.000Z", 1_767_323_045_000_000_000),
        ("2024-02-29T23:59:59.5Z", 1_709_251_199_500_000_000),
        ("2000-03-01T00:00:00.000000001Z", 951_868_800_000_000_001),
    ])
    func datesAreRead(text: String, nanoseconds: Int64) {
        #expect(nanosecondsSince1970(text) == nanoseconds)
    }

    @Test(arguments: [
        "", "2026-01-02", "2026-01-02T03:04:05", "2026-13-02T03:04:05Z", "2026-01-02T24:04:05Z",
        "2026-01-02T03:04:05.Z", "2026-01-02T03:04:05+01:00", "xxxx-01-02T03:04:05Z",
        "2026-01-02T03:04:05.1234567890Z",
    ])
    func otherDatesAreRefused(text: String) {
        #expect(nanosecondsSince1970(text) == nil)
    }

    @Test func oidsKeepTheirTextBytesAndOrder() throws {
        let text = "00ff102030405060708090a0b0c0d0e0f0fedcba"
        let oid = try #require(CommitOID(hex: text.uppercased()))
        #expect(oid.hex == text)
        #expect(oid.bytes.count == 20)
        #expect(oid.bytes[1] == 0xff)
        #expect(CommitOID(bytes: oid.bytes) == oid)
        #expect(CommitOID(bytes: oid.bytes.dropLast()) == nil)
        #expect(CommitOID(hex: text.dropLast()) == nil)
        #expect(CommitOID(hex: text.dropLast() + "g") == nil)
        let larger = CommitOID(hex: "01" + text.dropFirst(2))!
        #expect(oid < larger && !(larger < oid))
        let sha = try #require(LFSOID(hex: text + "000000000000000000000001"))
        #expect(LFSOID(bytes: sha.bytes)?.hex == sha.hex)
        #expect(MemoryLayout<TreeEntry>.stride <= 80)
    }

    @Test func originsAreComparedWithTheirPorts() {
        #expect(WebURL("HTTPS://Hub.Co:443/A?b#c")?.text == "https://hub.co/A?b")
        #expect(WebURL("http://h")?.text == "http://h/")
        #expect(WebURL("http://h:8080/")?.origin != WebURL("http://h/")?.origin)
        #expect(WebURL("https://h/")?.origin != WebURL("http://h/")?.origin)
    }

    @Test(arguments: [
        "", "h/x", "ftp://h/", "http:///x", "http://user@h/", "http://h/a b", "http://h\\@evil/",
    ])
    func unsafeURLsAreRefused(text: String) {
        #expect(WebURL(text) == nil)
    }

    @Test(arguments: [
        ("https://x/y", "https://x/y"), ("//x/y", "http://x/y"), ("/y?z", "http://h/y?z"),
        ("?q", "http://h/a/b?q"), ("c", "http://h/a/c"),
    ])
    func locationsAreResolved(reference: String, expected: String) {
        #expect(WebURL("http://h/a/b?old")?.resolving(reference)?.text == expected)
    }

    @Test func percentEncodingIsUndone() {
        let text = "a b#c?é/x%~"
        #expect(percentEncoded(text, keepsSlash: true) == "a%20b%23c%3F%C3%A9/x%25~")
        #expect(percentEncoded("a/b", keepsSlash: false) == "a%2Fb")
        #expect(percentDecoded(percentEncoded(text, keepsSlash: false)) == text)
        #expect(percentDecoded("100%") == "100%")
    }

    @Test func theNextLinkIsFound() {
        #expect(nextLink(#"<http://h/a?cursor=x>; rel="next""#) == "http://h/a?cursor=x")
        #expect(nextLink(#"<http://h/p>; rel="prev", <http://h/n>; rel=next"#) == "http://h/n")
        #expect(nextLink(#"<http://h/p>; rel="prev""#) == nil)
        #expect(nextLink("") == nil)
    }

    private static let oid = String(repeating: "a", count: 40)
    private static let sha = String(repeating: "b", count: 64)

    @Test func aTreePageIsRead() throws {
        let page = """
            [{"type":"directory","oid":"\(Self.oid)","size":0,"path":"d"},
             {"type":"file","oid":"\(Self.oid)","size":7,"path":"a.txt","lfs":null},
             {"type":"submodule","oid":"\(Self.oid)","path":"s"},
             {"type":"file","oid":"\(Self.oid)","size":134,"path":"m.bin",
              "lfs":{"oid":"\(Self.sha)","size":3000000,"pointerSize":134}}]
            """
        let entries = try TreePage.entries(Array(page.utf8), under: "", recursive: false)
        #expect(
            entries == [
                TreeEntry(path: "d", kind: .directory(TreeOID(hex: Self.oid)!)),
                TreeEntry(
                    path: "a.txt", kind: .file(.git(BlobOID(hex: Self.oid)!), size: 7)),
                TreeEntry(
                    path: "m.bin",
                    kind: .file(.lfs(LFSOID(hex: Self.sha)!), size: 3_000_000)),
            ])
    }

    @Test(arguments: [
        "{}", "[1]", #"[{"type":"file","path":"a"}]"#, #"[{"type":"directory","path":"a"}]"#,
        #"[{"type":"x","path":"../a"}]"#, #"[{"type":"x","path":"/a"}]"#, #"[{"type":"x"}]"#,
        #"[{"type":"x","path":"a//b"}]"#, #"[{"type":"x","path":"a\u0000"}]"#,
        #"[{"type":"x","path":"a/b"}]"#, #"[{"type":"x","path":""}]"#,
        #"[{"type":"x","path":"a/\u0301b"}]"#, #"[{"type":"x","path":"a/../\u0301b"}]"#,
    ])
    func pagesThatLieAreRefused(page: String) {
        #expect(throws: TreePage.Invalid.self) {
            try TreePage.entries(Array(page.utf8), under: "", recursive: false)
        }
    }

    @Test func pathsAreBytes() throws {
        let names = ["d\u{e9}", "de\u{301}", "\u{301}d"]
        let rows = names.map { #"{"type":"directory","oid":"\#(Self.oid)","path":"s/\#($0)"}"# }
        let page = Array("[\(rows.joined(separator: ","))]".utf8)
        let entries = try TreePage.entries(page, under: "s", recursive: false)
        #expect(entries.map { Array($0.path.utf8) } == names.map { Array("s/\($0)".utf8) })
    }

    @Test func entriesOutsideTheListedDirectoryAreRefused() {
        let page = Array(#"[{"type":"x","path":"dx/a"}]"#.utf8)
        #expect(throws: TreePage.Invalid.self) {
            try TreePage.entries(page, under: "d", recursive: true)
        }
    }
}
