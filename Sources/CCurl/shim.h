// libcurl. Its option and information calls are variadic, which Swift cannot import, so each type
// of argument has a wrapper here. No logic.
#ifndef HUBFS_CCURL_SHIM_H
#define HUBFS_CCURL_SHIM_H

#include <curl/curl.h>

static inline CURLcode hubfs_curl_set_long(CURL *handle, CURLoption option, long value) {
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode hubfs_curl_set_text(CURL *handle, CURLoption option, const char *value) {
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode hubfs_curl_set_pointer(CURL *handle, CURLoption option, void *value) {
    return curl_easy_setopt(handle, option, value);
}

typedef size_t (*hubfs_curl_sink)(char *bytes, size_t size, size_t count, void *context);

static inline CURLcode hubfs_curl_set_sink(CURL *handle, CURLoption option, hubfs_curl_sink sink) {
    return curl_easy_setopt(handle, option, sink);
}

static inline CURLcode hubfs_curl_get_pointer(CURL *handle, CURLINFO info, void **value) {
    return curl_easy_getinfo(handle, info, value);
}

static inline CURLcode hubfs_curl_get_long(CURL *handle, CURLINFO info, long *value) {
    return curl_easy_getinfo(handle, info, value);
}

static inline CURLMcode hubfs_curl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return curl_multi_setopt(multi, option, value);
}

/// The result in a message from curl_multi_info_read: a union member, clumsy to reach from Swift.
static inline CURLcode hubfs_curl_message_result(const CURLMsg *message) {
    return message->data.result;
}

#endif
