/* SPDX-License-Identifier: Apache-2.0
 * sha256_x86.c -- the compression function of SHA-256 by the SHA instructions of x86, several times as fast as plain C.
 * The instructions hold the eight working variables a to h in two vectors, abef and cdgh, and do two rounds each. w
 * holds the last 16 words of the message schedule, four in each vector. Of the shuffles 0xB1 swaps the elements of each
 * pair, 0x1B reverses all four, and 0x0E moves the upper two down; the blend 0xF0 takes the upper two of its second. */
#include "core/bits/sha256.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

bool pf_sha256_has_x86(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSSE3) || !(c & bit_SSE4_1)) return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

__attribute__((target("sha,sse4.1")))
void pf_sha256_x86(uint32_t h[8], const uint8_t *p, size_t blocks)
{
    /* a .. h: the words of the hash. A vector is named by its words from the highest element to the lowest. */
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    const __m128i cdab = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)h), 0xB1);
    const __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(h + 4)), 0x1B);
    __m128i abef = _mm_alignr_epi8(cdab, efgh, 8), cdgh = _mm_blend_epi16(efgh, cdab, 0xF0), w[4];
    for (; blocks; blocks--, p += 64) {
        const __m128i abef_before = abef, cdgh_before = cdgh;
        for (int i = 0; i < 16; i++) {
            __m128i *current = w + i % 4, *previous = w + (i + 3) % 4;
            if (i < 4) *current = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(p + 16 * i)), big_endian);
            else {
                __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(*current, w[(i + 1) % 4]),
                                            _mm_alignr_epi8(*previous, w[(i + 2) % 4], 4));
                *current = _mm_sha256msg2_epu32(sum, *previous);
            }
            __m128i wk = _mm_add_epi32(*current, _mm_loadu_si128((const __m128i *)(pf_sha256_k + 4 * i)));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, wk);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(wk, 0x0E));
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    const __m128i feba = _mm_shuffle_epi32(abef, 0x1B), dchg = _mm_shuffle_epi32(cdgh, 0xB1);
    _mm_storeu_si128((__m128i *)h, _mm_blend_epi16(feba, dchg, 0xF0));
    _mm_storeu_si128((__m128i *)(h + 4), _mm_alignr_epi8(dchg, feba, 8));
}
#else
bool pf_sha256_has_x86(void) { return false; }
void pf_sha256_x86(uint32_t h[8], const uint8_t *p, size_t blocks) { pf_sha256_plain(h, p, blocks); }
#endif
