import CCurl

/// What libcurl's result code of a failed transfer means to us. Source: man 3 libcurl-errors.
func transportError(
    _ code: CURLcode, isConnected: Bool, bytes: UInt64
) -> HTTPTransportError {
    let reason = String(cString: curl_easy_strerror(code))
    switch code {
    // Once connected, the protocol libcurl does not support is what the server speaks (HTTP/0.9).
    case CURLE_UNSUPPORTED_PROTOCOL where isConnected: return .malformed("no HTTP answer")
    case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL: return .badURL
    case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: return .resolve(reason)
    case CURLE_COULDNT_CONNECT, CURLE_PROXY: return .connect(reason)
    case CURLE_OPERATION_TIMEDOUT: return isConnected ? .timedOut : .connectTimedOut
    case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM,
        CURLE_SSL_CIPHER, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR,
        CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_PINNEDPUBKEYNOTMATCH, CURLE_USE_SSL_FAILED:
        return .tls(reason)
    case CURLE_PARTIAL_FILE, CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_SEND_FAIL_REWIND,
        CURLE_GOT_NOTHING, CURLE_HTTP2, CURLE_HTTP2_STREAM, CURLE_SSL_SHUTDOWN_FAILED:
        return .connectionLost(receivedByteCount: bytes, reason: reason)
    case CURLE_WEIRD_SERVER_REPLY, CURLE_BAD_CONTENT_ENCODING: return .malformed(reason)
    default: return .failed(code: Int(code.rawValue), reason: reason)
    }
}
