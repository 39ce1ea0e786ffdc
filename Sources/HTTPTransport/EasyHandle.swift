import CCurl

/// One libcurl easy handle, set up anew for each request it serves.
///
/// Owned by one loop and used on its thread alone. Source: man 3 libcurl-easy.
final class EasyHandle {
    let pointer: UnsafeMutableRawPointer
    private var headerList: UnsafeMutablePointer<curl_slist>?
    /// Kept here because libcurl does not copy it (CURLOPT_POSTFIELDS).
    private var body: UnsafeMutableRawBufferPointer?

    init?() {
        guard let pointer = curl_easy_init() else { return nil }
        self.pointer = pointer
    }

    deinit {
        curl_easy_cleanup(pointer)
        releaseRequest()
    }

    /// Sets every option for `request`; the callbacks get `context`.
    ///
    /// - Returns: false when libcurl refuses an option, which only a URL it cannot keep causes.
    func prepare(
        _ request: HTTPRequest, options: HTTPTransport.Configuration,
        context: UnsafeMutableRawPointer
    ) -> Bool {
        curl_easy_reset(pointer)
        releaseRequest()
        return setTarget(request) && setAnswer(request, context) && setConnection(request, options)
    }

    /// Drops headers and body, which hold the token, as soon as the request is over.
    func releaseRequest() {
        curl_slist_free_all(headerList)
        headerList = nil
        body?.deallocate()
        body = nil
    }

    private func setTarget(_ request: HTTPRequest) -> Bool {
        for (name, value) in request.headers + [("Accept-Encoding", "identity")] {
            // A line end in a value would start a header of its own.
            guard !(name + value).utf8.contains(where: { $0 == 10 || $0 == 13 || $0 == 0 }),
                let list = curl_slist_append(headerList, "\(name): \(value)")
            else { return false }
            headerList = list
        }
        let isSet =
            set(CURLOPT_URL, request.url) && set(CURLOPT_PROTOCOLS_STR, "http,https")
            && hubfs_easy_set_list(pointer, CURLOPT_HTTPHEADER, headerList) == CURLE_OK
        switch request.method {
        case .get: return isSet && set(CURLOPT_HTTPGET, 1)
        case .head: return isSet && set(CURLOPT_NOBODY, 1)
        case .post: return isSet && setBody(request.body ?? [])
        }
    }

    private func setBody(_ bytes: [UInt8]) -> Bool {
        let copy = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(bytes.count, 1), alignment: 1)
        copy.copyBytes(from: bytes)
        body = copy
        return set(CURLOPT_POST, 1)
            && hubfs_easy_set_offset(
                pointer, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(bytes.count)) == CURLE_OK
            && hubfs_easy_set_pointer(pointer, CURLOPT_POSTFIELDS, copy.baseAddress) == CURLE_OK
    }

    private func setAnswer(_ request: HTTPRequest, _ context: UnsafeMutableRawPointer) -> Bool {
        // 512 KiB is the most 7.88 takes: one call a piece instead of thirty-two.
        let bufferByteCount = request.lane == .stream ? 512 << 10 : 64 << 10
        return set(CURLOPT_BUFFERSIZE, bufferByteCount)
            && set(CURLOPT_FOLLOWLOCATION, 0) && set(CURLOPT_HTTP_CONTENT_DECODING, 0)
            && set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
            && hubfs_easy_set_data_callback(pointer, CURLOPT_HEADERFUNCTION, headerCallback)
                == CURLE_OK
            && hubfs_easy_set_data_callback(pointer, CURLOPT_WRITEFUNCTION, bodyCallback)
                == CURLE_OK
            && hubfs_easy_set_prerequest_callback(pointer, connectedCallback) == CURLE_OK
            && hubfs_easy_set_pointer(pointer, CURLOPT_HEADERDATA, context) == CURLE_OK
            && hubfs_easy_set_pointer(pointer, CURLOPT_WRITEDATA, context) == CURLE_OK
            && hubfs_easy_set_pointer(pointer, CURLOPT_PREREQDATA, context) == CURLE_OK
    }

    private func setConnection(
        _ request: HTTPRequest, _ options: HTTPTransport.Configuration
    ) -> Bool {
        let version = options.usesHTTP2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1
        // Signals are the program's. A resolver thread that hangs is left behind instead of
        // joined (QUICK_EXIT), or a dead name server would block the loop and the shutdown.
        return set(CURLOPT_NOSIGNAL, 1) && set(CURLOPT_QUICK_EXIT, 1)
            && set(CURLOPT_HTTP_VERSION, Int(version)) && set(CURLOPT_TCP_NODELAY, 1)
            && set(CURLOPT_TCP_KEEPALIVE, 1)
            && set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(request.bounds.connectSeconds))
            && set(CURLOPT_MAXAGE_CONN, options.connectionIdleSecondsMax)
            && set(CURLOPT_USERAGENT, options.userAgent)
    }

    private func set(_ option: CURLoption, _ value: Int) -> Bool {
        hubfs_easy_set_long(pointer, option, value) == CURLE_OK
    }

    private func set(_ option: CURLoption, _ value: String) -> Bool {
        hubfs_easy_set_string(pointer, option, value) == CURLE_OK
    }

    /// At least one: 0 would mean libcurl's default.
    private func milliseconds(_ seconds: Double) -> Int { max(1, Int(seconds * 1000)) }
}
