import Platform
import SystemPackage
import Testing

@testable import HubClient

struct Base64Tests {
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"), ("\u{ff}\u{ff}\u{ff}", "w7/Dv8O/"),
    ])
    func knownTextsAreEncoded(text: String, expected: String) {
        #expect(base64(Array(text.utf8)) == expected)
    }

    @Test func itDoesNotMatterHowBytesAreCut() {
        let bytes = (0..<9).map { UInt8($0 &* 29) }
        let whole = base64(bytes)
        for first in 0...bytes.count {
            for second in first...bytes.count {
                var encoder = Base64Encoder()
                var text: [UInt8] = []
                for piece in [bytes[..<first], bytes[first..<second], bytes[second...]] {
                    Array(piece).withUnsafeBytes { encoder.encode($0, into: &text) }
                }
                encoder.finish(into: &text)
                #expect(String(decoding: text, as: UTF8.self) == whole, "\(first), \(second)")
            }
        }
    }
}

struct CommitBodyTests {
    private static let parent = CommitOID(hex: HubFixture.commit)!
    private static let oid = LFSOID(hex: String(repeating: "b", count: 64))!

    private func text(
        _ write: (inout CommitBody) throws -> Void
    ) throws -> (lines: [String], operationCount: Int) {
        let spool = try TestFile(Array("what was there before, and is longer".utf8))
        var body = try CommitBody(
            spool: spool.file, summary: "s", description: "", parent: nil)
        try write(&body)
        let byteCount = try body.finish()
        #expect(byteCount == body.byteCount)
        let bytes = try spool.bytes()
        #expect(bytes.count == Int(byteCount))
        #expect(bytes.last == UInt8(ascii: "\n"))
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
        return (lines, body.operationCount)
    }

    private static let header = #"{"key":"header","value":{"summary":"s","description":""}}"#

    @Test func linesAreAsTheHubReadsThem() throws {
        let spool = try TestFile()
        let content = try TestFile(Array("hello".utf8))
        var body = try CommitBody(
            spool: spool.file, summary: "a \"b\"\n", description: "tab\t", parent: Self.parent)
        try body.file("d/ü \"x\".txt", content: content.file, size: 5)
        try body.file("empty", content: content.file, size: 0)
        try body.lfsFile("m\\n.bin", oid: Self.oid, size: 12)
        try body.deletedFile("old\u{7f}\u{1}")
        try body.deletedFolder("dir")
        _ = try body.finish()
        #expect(body.operationCount == 5)
        #expect(
            String(decoding: try spool.bytes(), as: UTF8.self) == """
                {"key":"header","value":{"summary":"a \\"b\\"\\u000a","description":"tab\\u0009",\
                "parentCommit":"\(HubFixture.commit)"}}
                {"key":"file","value":{"path":"d/ü \\"x\\".txt","content":"aGVsbG8=",\
                "encoding":"base64"}}
                {"key":"file","value":{"path":"empty","content":"","encoding":"base64"}}
                {"key":"lfsFile","value":{"path":"m\\\\n.bin","algo":"sha256",\
                "oid":"\(Self.oid.hex)","size":12}}
                {"key":"deletedFile","value":{"path":"old\u{7f}\\u0001"}}
                {"key":"deletedFolder","value":{"path":"dir/"}}

                """)
    }

    @Test func aHeaderAloneIsABody() throws {
        let (lines, operationCount) = try text { _ in }
        #expect(lines == [Self.header])
        #expect(operationCount == 0)
    }

    /// Around the sizes at which contents are read and lines are flushed.
    @Test(arguments: [
        1, 98_303, 98_304, 98_305, 196_608, 262_144, 400_001, 1_000_000,
    ])
    func contentsOfAnySizeComeWhole(size: Int) throws {
        let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7 >> 2) }
        let content = try TestFile(bytes + [1, 2, 3])
        let (lines, _) = try text { body in
            try body.file("a", content: content.file, size: UInt64(size))
            try body.deletedFile("b")
        }
        try #require(lines.count == 3)
        #expect(
            lines[1]
                == #"{"key":"file","value":{"path":"a","content":""# + base64(bytes)
                + #"","encoding":"base64"}}"#)
    }

    @Test(arguments: [10, 300_000, 1_000_000])
    func aLineWhoseContentEndsEarlyIsTakenBack(size: Int) throws {
        let content = try TestFile([UInt8](repeating: 7, count: size))
        let (lines, operationCount) = try text { body in
            try body.deletedFile("before")
            let found = Self.failure(body: &body, content.file, size: UInt64(size) + 1)
            #expect(found == .contentEndsEarly(path: "a", byteCount: UInt64(size)))
            try body.deletedFile("after")
        }
        #expect(operationCount == 2)
        #expect(
            lines == [
                Self.header, #"{"key":"deletedFile","value":{"path":"before"}}"#,
                #"{"key":"deletedFile","value":{"path":"after"}}"#,
            ])
    }

    @Test func aContentThatCannotBeReadIsTold() throws {
        let folder = try FileDescriptor.open("/", .readOnly, options: [.directory])
        defer { try? folder.close() }
        _ = try text { body in
            let found = Self.failure(body: &body, folder, size: 1)
            #expect(found == .content(.isDirectory, path: "a"))
        }
    }

    private static func failure(
        body: inout CommitBody, _ content: FileDescriptor, size: UInt64
    ) -> CommitBody.Failure? {
        do throws(CommitBody.Failure) {
            try body.file("a", content: content, size: size)
            return nil
        } catch {
            return error
        }
    }

    @Test func aSpoolThatCannotBeWrittenIsTold() throws {
        let reading = try FileDescriptor.open("/dev/null", .readOnly)
        defer { try? reading.close() }
        var body = try CommitBody(spool: reading, summary: "", description: "", parent: nil)
        do throws(CommitBody.Failure) {
            _ = try body.finish()
            Issue.record("written")
        } catch {
            #expect(error == .spool(.badFileDescriptor))
        }
    }

    @Test func manyOperationsFlowThrough() throws {
        let content = try TestFile([UInt8](repeating: 65, count: 300))
        let (lines, operationCount) = try text { body in
            for index in 0..<3000 { try body.file("f\(index)", content: content.file, size: 300) }
        }
        #expect(operationCount == 3000)
        #expect(lines.count == 3001)
        #expect(Set(lines.map(\.count)).count <= 5)
    }
}
