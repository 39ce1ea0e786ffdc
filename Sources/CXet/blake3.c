// BLAKE3, keyed, of bytes that are all in memory. Source: "BLAKE3: one function, fast everywhere".
//
// Leaves of 1024 bytes, and the nodes above them, are hashed side by side, in as many lanes as the
// processor's vectors have: the code for each width is the same (blake3_lanes.h), the compiler makes
// the instructions. x86 is asked what it has when it runs.

#include "cxet.h"
#include <stdatomic.h>
#include <string.h>

enum { BLOCK_BYTES = 64, LEAF_BYTES = 1024, HASH_BYTES = 32, BATCH_LEAVES = 128 };
enum { CHUNK_START = 1, CHUNK_END = 2, PARENT = 4, ROOT = 8, KEYED = 16 };

static const uint32_t START[8] = {
    0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19,
};

/// What several inputs have in common that are hashed side by side.
struct work {
    const uint32_t *key;
    size_t block_count;
    /// Bytes from one input to the next.
    size_t stride;
    uint64_t counter;
    /// Whether each input has the counter of the one before, and one more.
    int counts;
    uint32_t flags, first_flags, last_flags;
};

#define CONCATENATE_(a, b) a##b
#define CONCATENATE(a, b) CONCATENATE_(a, b)

#define ROTATE(x, n) ((x) >> (n) | (x) << (32 - (n)))
#define MIX(a, b, c, d, x, y)                                                                      \
    a += b + x, d = ROTATE(d ^ a, 16), c += d, b = ROTATE(b ^ c, 12), a += b + y,                  \
        d = ROTATE(d ^ a, 8), c += d, b = ROTATE(b ^ c, 7)
/// One round, with the message's words in this order.
#define ROUND(v, m, a, b, c, d, e, f, g, h, i, j, k, l, n, o, p, q)                                \
    do {                                                                                           \
        MIX(v[0], v[4], v[8], v[12], m[a], m[b]);                                                  \
        MIX(v[1], v[5], v[9], v[13], m[c], m[d]);                                                  \
        MIX(v[2], v[6], v[10], v[14], m[e], m[f]);                                                 \
        MIX(v[3], v[7], v[11], v[15], m[g], m[h]);                                                 \
        MIX(v[0], v[5], v[10], v[15], m[i], m[j]);                                                 \
        MIX(v[1], v[6], v[11], v[12], m[k], m[l]);                                                 \
        MIX(v[2], v[7], v[8], v[13], m[n], m[o]);                                                  \
        MIX(v[3], v[4], v[9], v[14], m[p], m[q]);                                                  \
    } while (0)
#define ALL_ROUNDS(v, m)                                                                           \
    do {                                                                                           \
        ROUND(v, m, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);                         \
        ROUND(v, m, 2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8);                         \
        ROUND(v, m, 3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1);                         \
        ROUND(v, m, 10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6);                         \
        ROUND(v, m, 12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4);                         \
        ROUND(v, m, 9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7);                         \
        ROUND(v, m, 11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13);                         \
    } while (0)

#define NAME hash_four
#define LANES 4
#define TARGET
#define ZIP_LOW(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define ZIP_HIGH(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#include "blake3_lanes.h"

#ifdef __x86_64__
#define NAME hash_eight
#define LANES 8
#define TARGET __attribute__((target("avx2")))
#define ZIP_LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define ZIP_HIGH(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#include "blake3_lanes.h"

#define NAME hash_sixteen
#define LANES 16
#define TARGET __attribute__((target("avx512f,avx512vl,avx512bw")))
#define ZIP_LOW(a, b)                                                                              \
    __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define ZIP_HIGH(a, b)                                                                             \
    __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#include "blake3_lanes.h"
#endif

/// Hashes one block into a chaining value, which may be where it comes from.
static void compress(const uint32_t chain[8], const uint8_t block[BLOCK_BYTES], uint32_t count,
                     uint64_t counter, uint32_t flags, uint32_t result[8]) {
    uint32_t m[16], v[16];
    memcpy(m, block, sizeof m);
    memcpy(v, chain, 32);
    memcpy(v + 8, START, 16);
    v[12] = (uint32_t)counter;
    v[13] = (uint32_t)(counter >> 32);
    v[14] = count;
    v[15] = flags;
    ALL_ROUNDS(v, m);
    for (int word = 0; word < 8; word++) result[word] = v[word] ^ v[word + 8];
}

/// Hashes up to a leaf of bytes.
static void hash_leaf(const uint32_t key[8], const uint8_t *bytes, size_t count, uint64_t counter,
                      uint32_t flags, uint8_t hash[HASH_BYTES]) {
    uint32_t chain[8];
    memcpy(chain, key, 32);
    uint32_t first = CHUNK_START;
    for (; count > BLOCK_BYTES; bytes += BLOCK_BYTES, count -= BLOCK_BYTES) {
        compress(chain, bytes, BLOCK_BYTES, counter, KEYED | first, chain);
        first = 0;
    }
    uint8_t last[BLOCK_BYTES] = {0};
    if (count > 0) memcpy(last, bytes, count);
    compress(chain, last, (uint32_t)count, counter, KEYED | first | CHUNK_END | flags, chain);
    memcpy(hash, chain, HASH_BYTES);
}

static atomic_int lane_limit = 16;
static atomic_int lanes_of_processor;

void hubfs_blake3_limit_lanes(int count) { atomic_store(&lane_limit, count); }

int hubfs_blake3_lane_count(void) {
    int lanes = atomic_load_explicit(&lanes_of_processor, memory_order_relaxed);
    if (lanes == 0) {
        lanes = 4;
#ifdef __x86_64__
        __builtin_cpu_init();
        if (__builtin_cpu_supports("avx2")) lanes = 8;
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
            __builtin_cpu_supports("avx512bw"))
            lanes = 16;
#endif
        atomic_store_explicit(&lanes_of_processor, lanes, memory_order_relaxed);
    }
    int limit = atomic_load_explicit(&lane_limit, memory_order_relaxed);
    return lanes < limit ? lanes : limit;
}

/// Hashes as many inputs side by side as there are lanes for, one after the other at the end.
static void hash_many(struct work work, size_t input_count, const uint8_t *input, uint8_t *output) {
    int lanes = hubfs_blake3_lane_count();
    while (input_count > 0) {
        size_t done = 1;
#ifdef __x86_64__
        if (lanes >= 16 && input_count >= 16) {
            hash_sixteen(work, input, output);
            done = 16;
        } else if (lanes >= 8 && input_count >= 8) {
            hash_eight(work, input, output);
            done = 8;
        } else
#endif
            if (lanes >= 4 && input_count >= 4) {
            hash_four(work, input, output);
            done = 4;
        } else {
            uint32_t chain[8];
            memcpy(chain, work.key, 32);
            for (size_t block = 0; block < work.block_count; block++) {
                uint32_t flags = work.flags;
                if (block == 0) flags |= work.first_flags;
                if (block == work.block_count - 1) flags |= work.last_flags;
                compress(chain, input + block * BLOCK_BYTES, BLOCK_BYTES, work.counter, flags,
                         chain);
            }
            memcpy(output, chain, HASH_BYTES);
        }
        input += done * work.stride;
        output += done * HASH_BYTES;
        if (work.counts) work.counter += done;
        input_count -= done;
    }
}

/// Hashes a subtree of more than one leaf to the two values its own node is made of.
static void hash_children(const uint32_t key[8], const uint8_t *bytes, size_t count,
                          uint64_t counter, uint8_t pair[2 * HASH_BYTES]);

/// Hashes a subtree that is not the whole tree.
static void hash_subtree(const uint32_t key[8], const uint8_t *bytes, size_t count,
                         uint64_t counter, uint8_t hash[HASH_BYTES]) {
    if (count <= LEAF_BYTES) return hash_leaf(key, bytes, count, counter, 0, hash);
    uint8_t pair[2 * HASH_BYTES];
    hash_children(key, bytes, count, counter, pair);
    uint32_t chain[8];
    compress(key, pair, BLOCK_BYTES, 0, KEYED | PARENT, chain);
    memcpy(hash, chain, HASH_BYTES);
}

static void hash_children(const uint32_t key[8], const uint8_t *bytes, size_t count,
                          uint64_t counter, uint8_t pair[2 * HASH_BYTES]) {
    if (count > (size_t)BATCH_LEAVES * LEAF_BYTES) {
        // The left part has the most leaves that are a power of two and leave something to the right.
        size_t left = (size_t)BATCH_LEAVES * LEAF_BYTES;
        while (2 * left < count) left *= 2;
        hash_subtree(key, bytes, left, counter, pair);
        hash_subtree(key, bytes + left, count - left, counter + left / LEAF_BYTES,
                     pair + HASH_BYTES);
        return;
    }
    uint8_t hashes[BATCH_LEAVES * HASH_BYTES], parents[BATCH_LEAVES / 2 * HASH_BYTES];
    size_t whole = count / LEAF_BYTES, node_count = (count + LEAF_BYTES - 1) / LEAF_BYTES;
    struct work leaves = {
        .key = key, .block_count = LEAF_BYTES / BLOCK_BYTES, .stride = LEAF_BYTES,
        .counter = counter, .counts = 1, .flags = KEYED, .first_flags = CHUNK_START,
        .last_flags = CHUNK_END,
    };
    hash_many(leaves, whole, bytes, hashes);
    if (node_count > whole)
        hash_leaf(key, bytes + whole * LEAF_BYTES, count - whole * LEAF_BYTES, counter + whole, 0,
                  hashes + whole * HASH_BYTES);
    struct work nodes = {
        .key = key, .block_count = 1, .stride = BLOCK_BYTES, .flags = KEYED | PARENT,
    };
    // A node without a neighbour goes up as it is: so the left parts are as large as they can be.
    while (node_count > 2) {
        hash_many(nodes, node_count / 2, hashes, parents);
        memcpy(parents + node_count / 2 * HASH_BYTES, hashes + (node_count - 1) * HASH_BYTES,
               node_count % 2 * HASH_BYTES);
        node_count = (node_count + 1) / 2;
        memcpy(hashes, parents, node_count * HASH_BYTES);
    }
    memcpy(pair, hashes, 2 * HASH_BYTES);
}

void hubfs_blake3_keyed(const uint8_t *key, const void *bytes, size_t count, uint8_t *hash) {
    uint32_t words[8];
    memcpy(words, key, sizeof words);
    if (count <= LEAF_BYTES) return hash_leaf(words, bytes, count, 0, ROOT, hash);
    uint8_t pair[2 * HASH_BYTES];
    hash_children(words, bytes, count, 0, pair);
    uint32_t chain[8];
    compress(words, pair, BLOCK_BYTES, 0, KEYED | PARENT | ROOT, chain);
    memcpy(hash, chain, HASH_BYTES);
}
