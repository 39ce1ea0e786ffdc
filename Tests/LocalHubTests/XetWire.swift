import Foundation
import XetCodec

@testable import LocalHub

/// The CAS as a client uses it, with another decoder than the server's encoder.
struct XetWire: Sendable {
    let hub: TestHub

    struct Fetch: Sendable {
        let xorb: String
        let chunks: Range<Int>
        let bytes: ByteRange
        let url: String
    }

    struct Missing: Error {
        let text: String
    }

    /// Bytes that do not compress and of which no two chunks are alike, the same each time.
    static func noise(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
        var state = seed
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 33)
        }
    }

    /// A client with a token for `org/repo`.
    func token(_ scope: String = "read") async throws -> WireClient {
        let answer = await hub.writer.get(hub.api + "/xet-\(scope)-token/main")
        guard let token = answer.object["accessToken"] as? String else {
            throw Missing(text: answer.text)
        }
        return WireClient(token: token)
    }

    func hash(of path: String) async throws -> String {
        let answer = await hub.writer.get(hub.endpoint + "/org/repo/resolve/main/" + path)
        guard let hash = answer.headers["x-xet-hash"] else { throw Missing(text: answer.text) }
        return hash
    }

    func plan(_ hash: String, _ version: Int) -> String {
        hub.endpoint + "/cas/v\(version)/reconstructions/\(hash)"
    }

    private func ask(
        _ hash: String, _ range: Range<Int>?, _ version: Int, _ token: WireClient
    ) async throws -> [String: Any] {
        let header = range.map { ["Range": "bytes=\($0.lowerBound)-\($0.upperBound - 1)"] } ?? [:]
        let answer = await token.get(plan(hash, version), headers: header)
        guard answer.status == 200 else { throw Missing(text: answer.text) }
        return answer.object
    }

    func fetches(
        _ hash: String, _ range: Range<Int>?, version: Int, _ token: WireClient
    ) async throws -> [Fetch] {
        try fetches(in: try await ask(hash, range, version, token), version)
    }

    private func fetches(in plan: [String: Any], _ version: Int) throws -> [Fetch] {
        let key = version == 1 ? "fetch_info" : "xorbs"
        guard let xorbs = plan[key] as? [String: [[String: Any]]] else { throw Missing(text: key) }
        return try xorbs.flatMap { xorb, entries in
            try entries.flatMap { entry -> [Fetch] in
                let parts = version == 1 ? [entry] : entry["ranges"] as? [[String: Any]] ?? []
                return try parts.map { part in
                    let chunks = part[version == 1 ? "range" : "chunks"] as? [String: Int] ?? [:]
                    let bytes = part[version == 1 ? "url_range" : "bytes"] as? [String: Int] ?? [:]
                    guard let url = entry["url"] as? String, let start = chunks["start"],
                        let end = chunks["end"], let first = bytes["start"], let last = bytes["end"]
                    else { throw Missing(text: "\(part)") }
                    return Fetch(
                        xorb: xorb, chunks: start..<end, bytes: ByteRange(first: first, last: last),
                        url: url)
                }
            }
        }
    }

    /// Bytes of a file by all the steps a client takes.
    func read(
        _ hash: String, _ range: Range<Int>?, version: Int, _ token: WireClient
    ) async throws -> [UInt8] {
        let plan = try await ask(hash, range, version, token)
        let fetches = try fetches(in: plan, version)
        var bytes: [UInt8] = []
        for term in plan["terms"] as? [[String: Any]] ?? [] {
            let chunks = term["range"] as? [String: Int] ?? [:]
            guard let start = chunks["start"], let end = chunks["end"],
                let fetch = fetches.first(where: {
                    $0.xorb == term["hash"] as? String && $0.chunks.contains(start)
                        && end <= $0.chunks.upperBound
                })
            else { throw Missing(text: "a range for \(term)") }
            let answer = await hub.anonymous.get(
                fetch.url, headers: ["Range": ByteRange.text([fetch.bytes])])
            guard answer.status == 206 else { throw Missing(text: answer.text) }
            let unpacked = try Self.unpack(answer.body)
            guard unpacked.count == fetch.chunks.count else { throw Missing(text: "chunks") }
            let own = unpacked[start - fetch.chunks.lowerBound..<end - fetch.chunks.lowerBound]
            guard own.joined().count == term["unpacked_length"] as? Int else {
                throw Missing(text: "the length of \(term)")
            }
            bytes += own.joined()
        }
        let offset = plan["offset_into_first_range"] as? Int ?? 0
        return Array(bytes.dropFirst(offset).prefix(range?.count ?? .max))
    }

    private static func unpack(_ bytes: [UInt8]) throws -> [[UInt8]] {
        try bytes.withUnsafeBytes { raw in
            var reader = XorbReader(raw)
            var chunks: [[UInt8]] = []
            while let chunk = try reader.next() {
                var buffer = [UInt8](repeating: 0, count: chunk.byteCount)
                try buffer.withUnsafeMutableBytes { try reader.unpack(chunk, into: $0) }
                chunks.append(buffer)
            }
            return chunks
        }
    }
}
