// The compression of BLAKE3 for LANES inputs side by side, each word of the state a vector with one
// lane of each. Included once for each width: NAME, LANES, TARGET, ZIP_LOW and ZIP_HIGH are set by who
// includes it.

#define VECTOR CONCATENATE(NAME, _vector)
#define TRANSPOSE CONCATENATE(NAME, _transpose)

typedef uint32_t VECTOR __attribute__((vector_size(4 * LANES)));

/// Rows become columns: a perfect shuffle, as often as the width is halved to one.
TARGET static inline __attribute__((always_inline)) void TRANSPOSE(VECTOR *rows) {
    for (int stage = 1; stage < LANES; stage *= 2) {
        VECTOR zipped[LANES];
        for (int row = 0; row < LANES / 2; row++) {
            zipped[2 * row] = ZIP_LOW(rows[row], rows[row + LANES / 2]);
            zipped[2 * row + 1] = ZIP_HIGH(rows[row], rows[row + LANES / 2]);
        }
        memcpy(rows, zipped, sizeof zipped);
    }
}

/// Hashes LANES inputs of `work.block_count` blocks each to their chaining values.
TARGET static void NAME(struct work work, const uint8_t *input, uint8_t *output) {
    VECTOR chain[8];
    VECTOR counter_low, counter_high;
    for (int word = 0; word < 8; word++) chain[word] = (VECTOR){0} + work.key[word];
    for (int lane = 0; lane < LANES; lane++) {
        uint64_t counter = work.counter + (work.counts ? (uint64_t)lane : 0);
        counter_low[lane] = (uint32_t)counter;
        counter_high[lane] = (uint32_t)(counter >> 32);
    }
    for (size_t block = 0; block < work.block_count; block++) {
        VECTOR m[16];
        for (int part = 0; part < 16; part += LANES) {
            for (int lane = 0; lane < LANES; lane++) {
                const uint8_t *row = input + lane * work.stride + block * BLOCK_BYTES;
                memcpy(&m[part + lane], row + 4 * part, sizeof(VECTOR));
            }
            TRANSPOSE(m + part);
        }
        uint32_t flags = work.flags;
        if (block == 0) flags |= work.first_flags;
        if (block == work.block_count - 1) flags |= work.last_flags;
        VECTOR v[16];
        for (int word = 0; word < 8; word++) v[word] = chain[word];
        for (int word = 0; word < 4; word++) v[8 + word] = (VECTOR){0} + START[word];
        v[12] = counter_low;
        v[13] = counter_high;
        v[14] = (VECTOR){0} + (uint32_t)BLOCK_BYTES;
        v[15] = (VECTOR){0} + flags;
        ALL_ROUNDS(v, m);
        for (int word = 0; word < 8; word++) chain[word] = v[word] ^ v[word + 8];
    }
    for (int lane = 0; lane < LANES; lane++) {
        for (int word = 0; word < 8; word++) {
            uint32_t value = chain[word][lane];
            memcpy(output + 32 * lane + 4 * word, &value, 4);
        }
    }
}

#undef VECTOR
#undef TRANSPOSE
#undef NAME
#undef LANES
#undef TARGET
#undef ZIP_LOW
#undef ZIP_HIGH
