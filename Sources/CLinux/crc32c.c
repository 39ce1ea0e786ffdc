#include "clinux.h"

#include <string.h>

// The table is the portable path; x86-64 with SSE4.2 and AArch64 with the CRC extension take the
// instruction. Polynomial 0x1EDC6F41, reflected 0x82F63B78 (RFC 3720, appendix B.4).
//
// The instruction takes three cycles and can be begun in each: so three parts of a block are summed
// side by side. A sum is carried over the bytes of the next part by a linear map of its 32 bits,
// which a table for each of its four bytes holds.

static uint32_t table[256];

// Three parts are 16 bytes less than a block of the cache.
enum { PART = 7280, ROUND = 3 * PART };
static uint32_t over_part[4][256];

static uint32_t crc_by_table(uint32_t crc, const uint8_t *bytes, size_t count) {
    while (count--) crc = table[(crc ^ *bytes++) & 0xFF] ^ (crc >> 8);
    return crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>
#define WITH_INSTRUCTION __attribute__((target("sse4.2")))
#define ADD_WORD(crc, word) (uint32_t)_mm_crc32_u64(crc, word)
#define ADD_BYTE(crc, byte) _mm_crc32_u8(crc, byte)
static int has_instruction(void) { return __builtin_cpu_supports("sse4.2"); }
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#define WITH_INSTRUCTION
#define ADD_WORD(crc, word) __crc32cd(crc, word)
#define ADD_BYTE(crc, byte) __crc32cb(crc, byte)
static int has_instruction(void) { return 1; }
#else
static int has_instruction(void) { return 0; }
#endif

#ifdef WITH_INSTRUCTION
static uint64_t word_at(const uint8_t *bytes) {
    uint64_t word;
    memcpy(&word, bytes, 8);
    return word;
}

static uint32_t carry_over_part(uint32_t crc) {
    return over_part[0][crc & 0xFF] ^ over_part[1][crc >> 8 & 0xFF] ^
           over_part[2][crc >> 16 & 0xFF] ^ over_part[3][crc >> 24];
}

WITH_INSTRUCTION static uint32_t crc_by_instruction(
    uint32_t crc, const uint8_t *bytes, size_t count) {
    for (; count >= ROUND; bytes += ROUND, count -= ROUND) {
        uint32_t second = 0, third = 0;
        for (const uint8_t *at = bytes; at < bytes + PART; at += 8) {
            crc = ADD_WORD(crc, word_at(at));
            second = ADD_WORD(second, word_at(at + PART));
            third = ADD_WORD(third, word_at(at + 2 * PART));
        }
        crc = carry_over_part(carry_over_part(crc) ^ second) ^ third;
    }
    for (; count >= 8; bytes += 8, count -= 8) crc = ADD_WORD(crc, word_at(bytes));
    while (count--) crc = ADD_BYTE(crc, *bytes++);
    return crc;
}

static void fill_over_part(void) {
    static const uint8_t zeros[PART];
    for (int bit = 0; bit < 32; bit++) {
        uint32_t *own = over_part[bit / 8];
        uint32_t image = crc_by_instruction(1u << bit, zeros, PART);
        // Of all bytes without this bit and those above it, the images are known.
        for (uint32_t byte = 0; byte < 1u << bit % 8; byte++)
            own[byte | 1u << bit % 8] = own[byte] ^ image;
    }
}
#else
static uint32_t crc_by_instruction(uint32_t crc, const uint8_t *bytes, size_t count) {
    return crc_by_table(crc, bytes, count);
}
static void fill_over_part(void) {}
#endif

__attribute__((constructor)) static void fill_tables(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (0x82F63B78u & (0u - (crc & 1)));
        table[byte] = crc;
    }
#if defined(__x86_64__)
    __builtin_cpu_init();
#endif
    if (has_instruction()) fill_over_part();
}

uint32_t hubfs_crc32c(uint32_t crc, const void *bytes, size_t count) {
    crc = ~crc;
    crc = has_instruction() ? crc_by_instruction(crc, bytes, count)
                            : crc_by_table(crc, bytes, count);
    return ~crc;
}
