import CCurl
import Platform

/// One request on its way: what curl's callbacks work on.
///
/// `@unchecked Sendable`: everything but `isCancelled` is touched by its transfer thread alone.
final class Transfer: @unchecked Sendable {
    let request: HTTPRequest
    let receiver: any HTTPReceiver
    /// Set from any thread; the transfer thread acts on it.
    let isCancelled = Guarded(false, rank: .leaf)

    private var status = 0
    private var headers: [(name: String, value: String)] = []
    private var headWasDelivered = false
    private var wasRefused = false
    private var headerList: UnsafeMutablePointer<curl_slist>?
    private(set) var lastProgress = MonotonicInstant.now

    init(request: HTTPRequest, receiver: any HTTPReceiver) {
        self.request = request
        self.receiver = receiver
    }

    deinit { curl_slist_free_all(headerList) }

    /// Sets up a fresh or reset handle for this request.
    ///
    /// - Returns: the error when curl refuses an option, as it does a URL it cannot parse.
    func configure(_ easy: UnsafeMutableRawPointer) -> HTTPTransportError? {
        lastProgress = .now
        for header in request.headers {
            headerList = curl_slist_append(headerList, "\(header.name): \(header.value)")
        }
        headerList = curl_slist_append(headerList, "Accept-Encoding: identity")
        let context = Unmanaged.passUnretained(self).toOpaque()
        let codes = [
            hubfs_curl_set_text(easy, CURLOPT_URL, request.url),
            hubfs_curl_set_text(easy, CURLOPT_PROTOCOLS_STR, "http,https"),
            hubfs_curl_set_long(easy, CURLOPT_NOSIGNAL, 1),
            hubfs_curl_set_long(easy, CURLOPT_TCP_NODELAY, 1),
            hubfs_curl_set_long(easy, CURLOPT_BUFFERSIZE, 512 << 10),
            hubfs_curl_set_long(easy, CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1)),
            hubfs_curl_set_long(
                easy, CURLOPT_CONNECTTIMEOUT_MS, Int(request.connectTimeoutSeconds * 1000)),
            hubfs_curl_set_pointer(easy, CURLOPT_HTTPHEADER, headerList),
            hubfs_curl_set_pointer(easy, CURLOPT_PRIVATE, context),
            hubfs_curl_set_pointer(easy, CURLOPT_HEADERDATA, context),
            hubfs_curl_set_sink(easy, CURLOPT_HEADERFUNCTION, takeHeader),
            hubfs_curl_set_pointer(easy, CURLOPT_WRITEDATA, context),
            hubfs_curl_set_sink(easy, CURLOPT_WRITEFUNCTION, takeBody),
        ]
        let refused = (codes + configureMethod(easy)).first { $0 != CURLE_OK }
        return refused.map { .protocolError(String(cString: curl_easy_strerror($0))) }
    }

    private func configureMethod(_ easy: UnsafeMutableRawPointer) -> [CURLcode] {
        var codes: [CURLcode] = []
        switch request.method {
        case .get: break
        case .head: codes.append(hubfs_curl_set_long(easy, CURLOPT_NOBODY, 1))
        case .post, .put, .delete:
            codes.append(
                hubfs_curl_set_text(easy, CURLOPT_CUSTOMREQUEST, request.method.rawValue))
        }
        if request.method == .post || request.method == .put || !request.body.isEmpty {
            codes.append(
                hubfs_curl_set_long(easy, CURLOPT_POSTFIELDSIZE, request.body.count))
            request.body.withUnsafeBytes { bytes in
                let start = UnsafeMutableRawPointer(mutating: bytes.baseAddress)
                codes.append(hubfs_curl_set_pointer(easy, CURLOPT_COPYPOSTFIELDS, start))
            }
        }
        return codes
    }

    /// Ends the transfer for its receiver.
    func end(_ code: CURLcode) {
        if code == CURLE_OK, !deliverHead() { return receiver.end(.failure(.cancelled)) }
        receiver.end(wasRefused ? .failure(.cancelled) : result(code))
    }

    fileprivate func take(header line: UnsafeRawBufferPointer) {
        lastProgress = .now
        let text = String(decoding: line, as: UTF8.self)
        if text.hasPrefix("HTTP/") {
            // A new block: what came before was an interim answer such as 100 Continue.
            status = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
            headers = []
        } else if let colon = text.firstIndex(of: ":") {
            let value = text[text.index(after: colon)...]
            headers.append((text[..<colon].lowercased(), value.trimmingBlanks()))
        }
    }

    fileprivate func take(body: UnsafeRawBufferPointer) -> Bool {
        lastProgress = .now
        guard deliverHead(), !isCancelled.withLock({ $0 }), receiver.receive(body: body) else {
            wasRefused = true
            return false
        }
        return true
    }

    /// - Returns: false when the receiver wants no more.
    private func deliverHead() -> Bool {
        if headWasDelivered { return !wasRefused }
        headWasDelivered = true
        let head = HTTPResponseHead(status: status, headers: headers)
        if !receiver.receive(head: head) { wasRefused = true }
        return !wasRefused
    }

    private func result(_ code: CURLcode) -> Result<Void, HTTPTransportError> {
        let reason = String(cString: curl_easy_strerror(code))
        switch code {
        case CURLE_OK: return .success(())
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY:
            return .failure(.unknownHost(reason))
        case CURLE_COULDNT_CONNECT, CURLE_OPERATION_TIMEDOUT:
            return .failure(.noConnection(reason))
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM,
            CURLE_SSL_CIPHER, CURLE_SSL_CACERT_BADFILE:
            return .failure(.tls(reason))
        case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL, CURLE_WEIRD_SERVER_REPLY:
            return .failure(.protocolError(reason))
        default: return .failure(.connectionLost(reason))
        }
    }
}

extension Substring {
    fileprivate func trimmingBlanks() -> String {
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0.isNewline }
        guard let first = firstIndex(where: { !isBlank($0) }),
            let last = lastIndex(where: { !isBlank($0) })
        else { return "" }
        return String(self[first...last])
    }
}

private func takeHeader(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int,
    _ context: UnsafeMutableRawPointer?
) -> Int {
    let transfer = Unmanaged<Transfer>.fromOpaque(context!).takeUnretainedValue()
    transfer.take(header: UnsafeRawBufferPointer(start: bytes, count: size * count))
    return size * count
}

/// Returning less than was offered makes curl end the transfer.
private func takeBody(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int,
    _ context: UnsafeMutableRawPointer?
) -> Int {
    let transfer = Unmanaged<Transfer>.fromOpaque(context!).takeUnretainedValue()
    let isWanted = transfer.take(body: UnsafeRawBufferPointer(start: bytes, count: size * count))
    return isWanted ? size * count : 0
}
