// libcurl for Swift. curl_easy_setopt, curl_easy_getinfo and curl_multi_setopt are variadic, which
// Swift cannot call: each wrapper fixes the type of the one argument. No logic.
#ifndef HUBFS_CCURL_SHIM_H
#define HUBFS_CCURL_SHIM_H

#include <curl/curl.h>

typedef size_t (*hubfs_curl_data_callback)(char *, size_t, size_t, void *);

/// Options that take a long.
static inline CURLcode hubfs_easy_set_long(CURL *easy, CURLoption option, long value) {
    return curl_easy_setopt(easy, option, value);
}

/// Options that take a curl_off_t.
static inline CURLcode hubfs_easy_set_offset(CURL *easy, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(easy, option, value);
}

/// Options that take a string; libcurl copies it.
static inline CURLcode hubfs_easy_set_string(CURL *easy, CURLoption option, const char *value) {
    return curl_easy_setopt(easy, option, value);
}

/// Options that take a pointer; libcurl keeps it.
static inline CURLcode hubfs_easy_set_pointer(CURL *easy, CURLoption option, void *value) {
    return curl_easy_setopt(easy, option, value);
}

/// Options that take a header list; libcurl keeps it.
static inline CURLcode hubfs_easy_set_list(
    CURL *easy, CURLoption option, struct curl_slist *value) {
    return curl_easy_setopt(easy, option, value);
}

/// CURLOPT_WRITEFUNCTION, CURLOPT_HEADERFUNCTION and CURLOPT_READFUNCTION: one signature.
static inline CURLcode hubfs_easy_set_data_callback(
    CURL *easy, CURLoption option, hubfs_curl_data_callback value) {
    return curl_easy_setopt(easy, option, value);
}

/// CURLOPT_SEEKFUNCTION, called when a body has to be read from its beginning again.
static inline CURLcode hubfs_easy_set_seek_callback(CURL *easy, curl_seek_callback value) {
    return curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, value);
}

/// CURLOPT_PREREQFUNCTION, called when the connection stands and the request is about to be sent.
static inline CURLcode hubfs_easy_set_prerequest_callback(
    CURL *easy, curl_prereq_callback value) {
    return curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, value);
}

/// CURLOPT_XFERINFOFUNCTION, called whenever bytes may have moved; on with CURLOPT_NOPROGRESS 0.
static inline CURLcode hubfs_easy_set_progress_callback(
    CURL *easy, curl_xferinfo_callback value) {
    return curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, value);
}

/// Options of a multi handle that take a long.
static inline CURLMcode hubfs_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return curl_multi_setopt(multi, option, value);
}

/// The result inside a CURLMsg, a union that Swift would see as raw memory.
static inline CURLcode hubfs_message_result(const CURLMsg *message) {
    return message->data.result;
}

/// CURL_GLOBAL_DEFAULT is a macro made of macros.
static inline CURLcode hubfs_curl_global_init(void) {
    return curl_global_init(CURL_GLOBAL_DEFAULT);
}

#endif
