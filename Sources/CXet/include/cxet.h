// The inner loops of Xet's codec: BLAKE3 with as many lanes as the processor has, and the table of its
// gear hash. Pure functions, safe on any thread.
#ifndef HUBFS_CXET_H
#define HUBFS_CXET_H

#include <stddef.h>
#include <stdint.h>

/// The keyed hash of BLAKE3 (32 bytes of output). Source: the BLAKE3 paper, sections 2 and 5.
void hubfs_blake3_keyed(const uint8_t *_Nonnull key, const void *_Nullable bytes, size_t count,
                        uint8_t *_Nonnull hash);

/// Leaves that are hashed side by side: 4, 8 or 16.
int hubfs_blake3_lane_count(void);

/// Uses no more lanes than these from now on, for tests: 1, 4, 8 or 16.
void hubfs_blake3_limit_lanes(int count);

/// What each of the 256 values of a byte adds to the gear hash. Source: the Xet specification.
const uint64_t *_Nonnull hubfs_xet_gear(void);

#endif
