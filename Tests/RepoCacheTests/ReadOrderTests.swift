import HubClient
import Testing
import TestSupport

@testable import RepoCache

@Suite
struct ReadOrderTests {
    private static let block: UInt64 = 65536
    private static let longest = ReadOrder.spanBytesMax

    private func file(_ number: Int, size: UInt64 = 1 << 40) -> ReadOrder.File {
        let digits = String(number, radix: 16)
        let hex = String(repeating: "0", count: 64 - digits.count) + digits
        return ReadOrder.File(
            path: "dir/file-\(number)", content: .lfs(LFSOID(hex: hex)!), size: size)
    }

    private func order() -> ReadOrder {
        ReadOrder(repo: CacheFixture.repo, commit: CacheFixture.commit)
    }

    private func texts(_ order: ReadOrder) -> [String] {
        order.spans.map {
            "\(order.files[$0.file].path) \($0.bytes.lowerBound)-\($0.bytes.upperBound)"
        }
    }

    @Test("what adjoins becomes one range, on either side")
    func adjoining() {
        var order = order()
        let parts = [100..<200, 200..<300, 50..<100].map { order.add($0, of: file(1)) }
        #expect(parts == [[100..<200], [200..<300], [50..<100]])
        #expect(texts(order) == ["dir/file-1 50-300"])
        #expect(order.byteCount == 250)
    }

    @Test("every range of a short file, in every order of three reads, is in it once")
    func once() {
        let ranges = (0..<6).flatMap { low in (low + 1...6).map { UInt64(low)..<UInt64($0) } }
        for first in ranges {
            for second in ranges {
                for third in ranges {
                    var order = order()
                    var bytes: Set<UInt64> = []
                    for range in [first, second, third] {
                        let new = order.add(range, of: file(1)).flatMap { Array($0) }
                        #expect(Set(new) == Set(range).subtracting(bytes))
                        #expect(new.count == Set(new).count)
                        bytes.formUnion(range)
                    }
                    let kept = order.spans.flatMap { Array($0.bytes) }
                    #expect(kept.count == bytes.count && Set(kept) == bytes)
                    #expect(order.byteCount == UInt64(bytes.count))
                }
            }
        }
    }

    @Test("ranges are of bounded length, so files read in turns stay in turns")
    func turns() {
        var order = order()
        for offset in stride(from: 0, to: 2 * Self.longest, by: 1 << 20) {
            _ = order.add(offset..<offset + 1 << 20, of: file(1))
            _ = order.add(offset..<offset + 1 << 20, of: file(2))
        }
        #expect(order.spans.map(\.file) == [0, 1, 0, 1])
        #expect(order.spans.allSatisfy { UInt64($0.bytes.count) == Self.longest })
        var whole = self.order()
        _ = whole.add(0..<3 * Self.longest + 1, of: file(1))
        #expect(whole.spans.map(\.bytes.count) == [8 << 20, 8 << 20, 8 << 20, 1])
    }

    @Test("a range that was left long ago is not made longer")
    func left() {
        var order = order()
        _ = order.add(0..<10, of: file(0))
        for number in 1...8 { _ = order.add(0..<10, of: file(number)) }
        _ = order.add(10..<20, of: file(0))
        #expect(order.spans.count == 10)
    }

    @Test("it is bounded, by ranges and by their text")
    func bounds() {
        var order = order()
        for number in 0..<10_000 {
            _ = order.add(
                UInt64(number) * 2 * Self.block..<UInt64(number) * 2 * Self.block + 1, of: file(1))
        }
        #expect(order.spans.count == ReadOrder.spanCountMax && order.isFull)
        #expect(order.text.utf8.count < ReadOrder.textBytesMax)
        let rest = order.add(0..<Self.block, of: file(2))
        #expect(rest.isEmpty)

        var long = self.order()
        for number in 0..<10_000 {
            let file = ReadOrder.File(
                path: String(repeating: "x", count: 4000) + "\(number)",
                content: file(number).content, size: 10)
            _ = long.add(0..<10, of: file)
        }
        #expect(long.isFull && long.text.utf8.count < ReadOrder.textBytesMax + 10_000)
    }

    @Test("what was read now comes first if it was much, or something else")
    func merging() {
        var known = order()
        for number in 1...4 { _ = known.add(0..<1000, of: file(number)) }
        var look = order()
        _ = look.add(0..<10, of: file(9))
        _ = look.add(0..<1000, of: file(3))
        #expect(
            texts(look.merged(with: known, isOther: false)) == texts(known) + ["dir/file-9 0-10"])
        #expect(look.merged(with: known, isOther: true).files.first?.path == "dir/file-9")
        #expect(look.merged(with: known, isOther: true).byteCount == 4010)
        _ = look.add(0..<1000, of: file(4))
        #expect(
            texts(look.merged(with: known, isOther: false)) == [
                "dir/file-9 0-10", "dir/file-3 0-1000", "dir/file-4 0-1000", "dir/file-1 0-1000",
                "dir/file-2 0-1000",
            ])
        #expect(look.merged(with: nil, isOther: false) == look)
        var glance = order()
        _ = glance.add(0..<61, of: file(9))
        #expect(glance.merged(with: known, isOther: true).files.last?.path == "dir/file-9")
    }

    @Test("the text of an order is that order again")
    func text() throws {
        var order = order()
        for number in 1...40 {
            let offset = UInt64(number * number % 7) * 2 * Self.block
            _ = order.add(offset..<offset + 100, of: file(number % 5))
        }
        let git = ReadOrder.File(
            path: "odd \"näme\"\n.json", content: .git(BlobOID(hex: CacheFixture.commit.hex)!),
            size: 17)
        _ = order.add(0..<17, of: git)
        #expect(try ReadOrder(text: Array(order.text.utf8)) == order)
        let empty = self.order()
        #expect(try ReadOrder(text: Array(empty.text.utf8)) == empty)
    }

    @Test("a text that is cut anywhere, or changed, is refused")
    func damage() throws {
        var order = order()
        for number in 1...3 { _ = order.add(0..<100, of: file(number, size: 100)) }
        let text = order.text
        for count in 0..<text.utf8.count {
            #expect(throws: ReadOrder.Damage.self) {
                try ReadOrder(text: Array(text.utf8.prefix(count)))
            }
        }
        func damage(_ old: String, _ new: String) -> ReadOrder.Damage? {
            var lines = text.split(separator: old, maxSplits: 1, omittingEmptySubsequences: false)
            let tail = lines.count == 2 ? lines.removeLast() : ""
            return #expect(throws: ReadOrder.Damage.self) {
                try ReadOrder(text: Array((lines.joined() + new + tail).utf8))
            }
        }
        #expect(damage("order\":1", "order\":2") == .version(2))
        #expect(damage("hubfs", "hubris") == .foreign)
        #expect(damage("models/", "movies/") == .line(1))
        #expect(damage("\"size\":100", "\"size\":99") == .line(2))
        #expect(damage("\"length\":100", "\"length\":0") == .line(2))
        #expect(damage("\"offset\":0", "\"offset\":18446744073709551615") == .line(2))
        #expect(damage("\"ranges\":3", "\"ranges\":2") == .line(5))
        #expect(damage("000001\"", "0001\"") == .line(2))
    }
}

@Suite
struct TouchMapTests {
    @Test("every range of 130 blocks is new once")
    func ranges() {
        for low in 0..<130 {
            for high in low + 1...130 {
                let map = TouchMap(blockCount: 130)
                var answers = [map.insert(low..<high), map.insert(low..<high)]
                if low > 0 { answers.append(map.insert(low - 1..<low)) }
                if high < 130 { answers.append(map.insert(high..<high + 1)) }
                #expect(answers == Array([true, false, true, true].prefix(answers.count)))
            }
        }
        let isNew = TouchMap(blockCount: 0).insert(0..<0)
        #expect(!isNew)
    }
}
