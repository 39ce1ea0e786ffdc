// libfuse's low-level API. The version asked for is set here and nowhere else: raising it is
// the one edit that moves hubfs to a newer libfuse (docs/decisions/0003-own-session-loop.md).
#ifndef HUBFS_CFUSE_SHIM_H
#define HUBFS_CFUSE_SHIM_H

#define FUSE_USE_VERSION 314
#include <fuse3/fuse_lowlevel.h>

#endif
