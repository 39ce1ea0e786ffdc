import Testing
import XetCodec

@testable import HubClient

/// Files of random terms over a few xorbs: whatever the order, the bytes are those of the terms.
@Suite struct TermAssemblyTests {
    private struct Generator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ state >> 29
        }
    }

    /// Chunks of three xorbs, 12 of each.
    private struct World {
        let xorbs: [(hash: XetHash, chunks: [[UInt8]])]

        init(_ random: inout Generator) {
            xorbs = (0..<3).map { number in
                let text = String(repeating: String(number + 1), count: 64)
                return (
                    XetHash(text: text)!,
                    (0..<12).map { _ in
                        (0..<Int.random(in: 1...40, using: &random)).map { _ in
                            UInt8.random(in: 0...255, using: &random)
                        }
                    }
                )
            }
        }

        func term(_ xorb: Int, _ chunks: Range<Int>) -> XetTerm {
            XetTerm(
                xorb: xorbs[xorb].hash, byteCount: UInt32(bytes(xorb, chunks).count),
                chunks: UInt32(chunks.lowerBound)..<UInt32(chunks.upperBound))
        }

        func bytes(_ xorb: Int, _ chunks: Range<Int>) -> [UInt8] {
            xorbs[xorb].chunks[chunks].flatMap { $0 }
        }

        /// As a store says it: ranges that overlap or touch are one.
        func plan(_ terms: [(xorb: Int, chunks: Range<Int>)], skip: UInt64) throws -> Reconstruction
        {
            var parts: [String] = []
            for (number, xorb) in xorbs.enumerated() {
                var ranges: [Range<Int>] = []
                let sorted = terms.filter { $0.xorb == number }.map(\.chunks)
                    .sorted { $0.lowerBound < $1.lowerBound }
                for range in sorted {
                    if let last = ranges.last, last.upperBound >= range.lowerBound {
                        ranges[ranges.count - 1] =
                            last.lowerBound..<max(last.upperBound, range.upperBound)
                    } else {
                        ranges.append(range)
                    }
                }
                guard !ranges.isEmpty else { continue }
                let text = ranges.map {
                    #"{"chunks":{"start":\#($0.lowerBound),"end":\#($0.upperBound)},"bytes":{"start":0,"end":1}}"#
                }
                parts.append(
                    #""\#(xorb.hash.text)":[{"url":"https://a.example/","ranges":[\#(text.joined(separator: ","))]}]"#
                )
            }
            let rows = terms.map { term in
                let row = self.term(term.xorb, term.chunks)
                return
                    #"{"hash":"\#(row.xorb.text)","unpacked_length":\#(row.byteCount),"range":{"start":\#(row.chunks.lowerBound),"end":\#(row.chunks.upperBound)}}"#
            }
            let json = """
                {"offset_into_first_range":\(skip),"terms":[\(rows.joined(separator: ","))],
                "xorbs":{\(parts.joined(separator: ","))}}
                """
            return try Reconstruction(#require(JSON(Array(json.utf8))))
        }

        func chunk(_ range: XorbRange, _ number: Int) -> [UInt8] {
            xorbs.first { $0.hash == range.xorb }!.chunks[number]
        }
    }

    @Test func anyOrderOfTermsComesOutRight() throws {
        var random = Generator(state: 7)
        for round in 0..<400 {
            let world = World(&random)
            let terms = (0..<Int.random(in: 1...7, using: &random)).map { _ in
                let start = Int.random(in: 0..<11, using: &random)
                return (
                    xorb: Int.random(in: 0..<3, using: &random),
                    chunks: start..<Int.random(in: start + 1...12, using: &random)
                )
            }
            let whole = terms.flatMap { world.bytes($0.xorb, $0.chunks) }
            let start = Int.random(in: 0..<whole.count, using: &random)
            let end = Int.random(in: start + 1...whole.count, using: &random)
            let plan = try world.plan(terms, skip: UInt64(start))
            var assembly = try TermAssembly(plan, count: UInt64(end - start))
            var result: [UInt8] = []
            parts: for range in assembly.ranges {
                for number in range.chunks {
                    let wantsMore = try world.chunk(range, number).withUnsafeBytes { bytes in
                        try assembly.take(number, of: range, bytes) { piece in
                            result += piece
                            return true
                        }
                    }
                    #expect(wantsMore == !assembly.isWhole)
                    if !wantsMore { break parts }
                }
            }
            #expect(assembly.isWhole && result == Array(whole[start..<end]), "round \(round)")
        }
    }

    @Test func chunksOfOtherLengthsAreSeen() throws {
        var random = Generator(state: 3)
        let world = World(&random)
        for change in [-1, 1] {
            let plan = try world.plan([(0, 2..<4), (1, 0..<2)], skip: 0)
            var assembly = try TermAssembly(plan, count: plan.byteCount)
            let range = assembly.ranges[0]
            var chunk = world.chunk(range, 2)
            if change > 0 { chunk.append(0) } else { chunk.removeLast() }
            #expect(throws: TermAssembly.Failure.self) {
                for (number, bytes) in [(2, chunk), (3, world.chunk(range, 3))] {
                    _ = try bytes.withUnsafeBytes {
                        try assembly.take(number, of: range, $0) { _ in true }
                    }
                }
            }
        }
    }

    @Test func termsThatDoNotFitAreRefused() throws {
        var random = Generator(state: 4)
        let world = World(&random)
        let plan = try world.plan([(0, 0..<3)], skip: 0)
        #expect(throws: TermAssembly.Failure.self) {
            try TermAssembly(plan, count: plan.byteCount + 1)
        }
    }

    @Test func whoIsNotWelcomeAnyMoreStops() throws {
        var random = Generator(state: 5)
        let world = World(&random)
        let plan = try world.plan([(0, 0..<3)], skip: 0)
        var assembly = try TermAssembly(plan, count: plan.byteCount)
        let range = assembly.ranges[0]
        let wantsMore = try world.chunk(range, 0).withUnsafeBytes {
            try assembly.take(0, of: range, $0) { _ in false }
        }
        #expect(!wantsMore && !assembly.isWhole)
    }
}
