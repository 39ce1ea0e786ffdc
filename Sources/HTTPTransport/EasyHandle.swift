import CCurl

/// One libcurl easy handle, set up anew for each request it serves.
///
/// Owned by one loop and used on its thread alone. Source: man 3 libcurl-easy.
final class EasyHandle {
    let pointer: UnsafeMutableRawPointer
    private var headerList: UnsafeMutablePointer<curl_slist>?

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
        return setTarget(request) && setBody(request, context) && setAnswer(request, context)
            && setConnection(request, options)
    }

    /// Drops the headers, which hold the token, as soon as the request is over.
    func releaseRequest() {
        curl_slist_free_all(headerList)
        headerList = nil
    }

    private func setTarget(_ request: HTTPRequest) -> Bool {
        for (name, value) in request.headers + [("Accept-Encoding", "identity")] {
            // A line end in a value would start a header of its own.
            guard !(name + value).utf8.contains(where: { $0 == 10 || $0 == 13 || $0 == 0 }),
                addHeader("\(name): \(value)")
            else { return false }
        }
        // Without a value: libcurl must not ask for permission (100-continue) and wait a second
        // for servers that give none.
        guard addHeader("Expect:") else { return false }
        let isSet =
            set(CURLOPT_URL, request.url) && set(CURLOPT_PROTOCOLS_STR, "http,https")
            && hubfs_easy_set_list(pointer, CURLOPT_HTTPHEADER, headerList) == CURLE_OK
        switch request.method {
        case .get: return isSet && set(CURLOPT_HTTPGET, 1)
        case .head: return isSet && set(CURLOPT_NOBODY, 1)
        case .post: return isSet && set(CURLOPT_POST, 1)
        case .put: return isSet && set(CURLOPT_UPLOAD, 1)
        case .delete:
            return isSet && set(request.body == nil ? CURLOPT_HTTPGET : CURLOPT_UPLOAD, 1)
                && set(CURLOPT_CUSTOMREQUEST, "DELETE")
        }
    }

    private func addHeader(_ line: String) -> Bool {
        guard let list = curl_slist_append(headerList, line) else { return false }
        headerList = list
        return true
    }

    private func setBody(_ request: HTTPRequest, _ context: UnsafeMutableRawPointer) -> Bool {
        guard request.method != .get, request.method != .head else { return request.body == nil }
        let byteCount = curl_off_t(request.body?.byteCount ?? 0)
        // What the socket does not take at once waits in the buffer for the next round: the fewer
        // rounds, the fewer wakeups. 16 KiB is the least that 7.88 takes, 2 MiB the most.
        let bufferByteCountMax = request.lane == .upload ? 1 << 20 : 64 << 10
        let bufferByteCount = min(bufferByteCountMax, max(16 << 10, Int(byteCount)))
        return set(CURLOPT_UPLOAD_BUFFERSIZE, bufferByteCount)
            && hubfs_easy_set_offset(pointer, CURLOPT_POSTFIELDSIZE_LARGE, byteCount) == CURLE_OK
            && hubfs_easy_set_offset(pointer, CURLOPT_INFILESIZE_LARGE, byteCount) == CURLE_OK
            && hubfs_easy_set_data_callback(pointer, CURLOPT_READFUNCTION, requestBodyCallback)
                == CURLE_OK
            && hubfs_easy_set_seek_callback(pointer, rewindCallback) == CURLE_OK
            && set(CURLOPT_NOPROGRESS, 0)
            && hubfs_easy_set_progress_callback(pointer, sentCallback) == CURLE_OK
            && hubfs_easy_set_pointer(pointer, CURLOPT_XFERINFODATA, context) == CURLE_OK
            && hubfs_easy_set_pointer(pointer, CURLOPT_READDATA, context) == CURLE_OK
            && hubfs_easy_set_pointer(pointer, CURLOPT_SEEKDATA, context) == CURLE_OK
    }

    private func setAnswer(_ request: HTTPRequest, _ context: UnsafeMutableRawPointer) -> Bool {
        // libcurl takes this buffer anew for each transfer, and hands it on by 16 KiB anyway. Larger
        // than this, malloc maps it: with 512 KiB, 38 000 page faults a GiB instead of 6 000, and 6 MiB
        // more of resident memory, for 3 500 reads of sockets instead of 10 000.
        let bufferByteCount = request.lane == .stream ? 112 << 10 : 64 << 10
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
            && set(CURLOPT_FRESH_CONNECT, request.isSentOnce ? 1 : 0)
            && set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(request.bounds.connectSeconds))
            && set(CURLOPT_MAXAGE_CONN, options.connectionIdleSecondsMax)
            && set(CURLOPT_USERAGENT, options.userAgent) && setAuthorities(options.authorities)
    }

    /// A proxy that is spoken to by TLS is trusted in the same way as a server.
    private func setAuthorities(_ authorities: CertificateAuthorities) -> Bool {
        var isSet = true
        if let file = authorities.file {
            isSet = set(CURLOPT_CAINFO, file) && set(CURLOPT_PROXY_CAINFO, file)
        }
        if let folder = authorities.folder {
            isSet = isSet && set(CURLOPT_CAPATH, folder) && set(CURLOPT_PROXY_CAPATH, folder)
        }
        return isSet
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
