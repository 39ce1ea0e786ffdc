import Testing

@testable import HubClient

struct JSONTests {
    private func parse(_ text: String) -> JSON? { JSON(Array(text.utf8)) }

    @Test func valuesAreRead() {
        #expect(parse(" null ") == .null)
        #expect(parse("[true,false]") == .array([.bool(true), .bool(false)]))
        #expect(parse("{}") == .object([:]))
        #expect(parse(#"{"a":[1,{"b":""}]}"#)?["a"]?.array?[1]["b"]?.string == "")
        #expect(parse("-0.5e2") == .number(-50))
    }

    @Test func sizesBeyondDoublePrecisionStayExact() {
        #expect(parse("9007199254740993")?.unsigned == 9_007_199_254_740_993)
        #expect(parse("7.0")?.unsigned == 7)
        #expect(parse("-1")?.unsigned == nil)
        #expect(parse("1.5")?.unsigned == nil)
        #expect(parse("99999999999999999999")?.unsigned == nil)
    }

    @Test func escapesBecomeCharacters() {
        #expect(parse(#""a\"\\\/\b\f\n\r\t""#)?.string == "a\"\\/\u{8}\u{c}\n\r\t")
        #expect(parse("\"é😀\"")?.string == "é😀")
        #expect(parse(#""\u00e9\ud83d\ude00""#)?.string == "é😀")
    }

    @Test(arguments: [
        "", "nul", "[1,]", "[1 2]", "{\"a\"}", "{a:1}", "\"", "\"\u{1}\"", #""\x""#, #""\ud83d""#,
        #""\ud83dx""#, #""\u12""#, "01", "1.", "1e", "-", "[1]]", "{\"a\":1,}", "+1", "truex",
    ])
    func whatIsNotJSONIsRefused(text: String) {
        #expect(parse(text) == nil)
    }

    @Test func bytesThatAreNotUTF8AreRefused() {
        #expect(JSON([0x22, 0xff, 0x22]) == nil)
    }

    @Test func nestingIsBounded() {
        let deep = { (count: Int) in
            String(repeating: "[", count: count) + String(repeating: "]", count: count)
        }
        #expect(parse(deep(JSON.depthMax)) != nil)
        #expect(parse(deep(JSON.depthMax + 1)) == nil)
        #expect(parse(String(repeating: "[", count: 1_000_000)) == nil)
    }
}
