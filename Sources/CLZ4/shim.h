#ifndef HUBFS_CLZ4_SHIM_H
#define HUBFS_CLZ4_SHIM_H

#include <lz4frame.h>

#endif
