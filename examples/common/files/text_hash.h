/* SPDX-License-Identifier: Apache-2.0
 * text_hash.h -- a hash of texts, FNV-1a with 64 bits, to name what belongs to the same settings. */
#ifndef TEXT_HASH_H
#define TEXT_HASH_H
#include <stdint.h>

#define TEXT_HASH_BEGIN 0xcbf29ce484222325u                   /* the first h */
/* Continues the hash h with the text and its terminating zero byte. */
static inline uint64_t text_hash(uint64_t h, const char *text)
{
    do h = (h ^ (unsigned char)*text) * 0x100000001b3u; while (*text++);
    return h;
}
#endif
