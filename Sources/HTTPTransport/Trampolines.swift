import CCurl
import Glibc

// The C functions libcurl calls: find the transfer, call it, answer. `context` is an
// `ActiveTransfer` that its loop holds for as long as the easy handle is in the multi handle.

let headerCallback: hubfs_curl_data_callback = { data, size, count, context in
    let bytes = UnsafeRawBufferPointer(start: data, count: size * count)
    return activeTransfer(context).headerLine(bytes) ? size * count : 0
}

let bodyCallback: hubfs_curl_data_callback = { data, size, count, context in
    let bytes = UnsafeRawBufferPointer(start: data, count: size * count)
    return activeTransfer(context).body(bytes) ? size * count : 0
}

let requestBodyCallback: hubfs_curl_data_callback = { data, size, count, context in
    let buffer = UnsafeMutableRawBufferPointer(start: data, count: size * count)
    return activeTransfer(context).requestBody(into: buffer) ?? Int(CURL_READFUNC_ABORT)
}

let rewindCallback: curl_seek_callback = { context, offset, origin in
    let isFound = origin == SEEK_SET && activeTransfer(context).rewind(to: offset)
    return isFound ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL
}

let sentCallback: curl_xferinfo_callback = { context, _, _, _, sentByteCount in
    activeTransfer(context).sent(UInt64(max(0, sentByteCount)))
    return 0
}

let connectedCallback: curl_prereq_callback = { context, _, _, _, _ in
    activeTransfer(context).connected()
    return CURL_PREREQFUNC_OK
}

private func activeTransfer(_ context: UnsafeMutableRawPointer?) -> ActiveTransfer {
    guard let context else { preconditionFailure("libcurl lost the context of a callback") }
    return Unmanaged<ActiveTransfer>.fromOpaque(context).takeUnretainedValue()
}
