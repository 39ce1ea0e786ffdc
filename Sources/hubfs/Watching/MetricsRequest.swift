/// What a scraper asks for, and what it is answered: as much of HTTP/1.1 as that takes.
///
/// One request a connection, without a body. Source: RFC 9112.
enum MetricsRequest {
    /// Longest head of a request, bytes.
    static let headBytesMax = 8192

    struct Answer: Equatable {
        var status: String
        var contentType = "text/plain; charset=utf-8"
        var body: String
        /// HEAD gets the head of an answer.
        var isHeadOnly = false
        var allow: String?

        var bytes: [UInt8] {
            var head = "HTTP/1.1 \(status)\r\nContent-Type: \(contentType)\r\n"
            head += "Content-Length: \(body.utf8.count)\r\nConnection: close\r\n"
            if let allow { head += "Allow: \(allow)\r\n" }
            return Array((head + "\r\n" + (isHeadOnly ? "" : body)).utf8)
        }
    }

    /// - Parameters:
    ///   - head: Up to the empty line, that included.
    ///   - metrics: Called for what is to be answered by metrics.
    static func answer(to head: [UInt8], metrics: () -> String) -> Answer {
        let lines = String(decoding: head, as: UTF8.self).split(
            separator: "\r\n", omittingEmptySubsequences: false)
        let words = lines[0].split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3, words[2] == "HTTP/1.1" || words[2] == "HTTP/1.0",
            words[1].hasPrefix("/")
        else { return plain("400 Bad Request", "this is not a request of HTTP/1.1") }
        let hosts = lines.dropFirst().filter { $0.lowercased().hasPrefix("host:") }
        guard hosts.count == 1 || (hosts.isEmpty && words[2] == "HTTP/1.0") else {
            return plain("400 Bad Request", "one Host is needed")
        }
        // A web page can make its own name mean this machine, and would be given the answer.
        if let host = hosts.first, !isLocal(host.dropFirst(5)) {
            return plain("421 Misdirected Request", "metrics are for this machine's own names")
        }
        guard words[1].split(separator: "?", maxSplits: 1)[0] == "/metrics" else {
            return plain("404 Not Found", "metrics are at /metrics")
        }
        guard words[0] == "GET" || words[0] == "HEAD" else {
            var answer = plain("405 Method Not Allowed", "metrics are read by GET")
            answer.allow = "GET, HEAD"
            return answer
        }
        return Answer(
            status: "200 OK", contentType: PrometheusText.contentType, body: metrics(),
            isHeadOnly: words[0] == "HEAD")
    }

    static func plain(_ status: String, _ sentence: String) -> Answer {
        Answer(status: status, body: sentence + "\n")
    }

    /// Whether a Host is an address of this machine's own, or its name for itself. Over a unix socket
    /// clients send what they like best, mostly `localhost`.
    private static func isLocal(_ field: Substring) -> Bool {
        let host = field.filter { $0 != " " && $0 != "\t" }.lowercased()
        if host.isEmpty { return true }
        let name = host.hasPrefix("[") ? host.prefix { $0 != "]" } + "]" : host.prefix { $0 != ":" }
        if name == "localhost" || name == "[::1]" { return true }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}
