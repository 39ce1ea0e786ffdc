#ifndef HUBFS_CCURL_SHIM_H
#define HUBFS_CCURL_SHIM_H
#include <curl/curl.h>
#endif
