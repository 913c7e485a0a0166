/* SPDX-License-Identifier: Apache-2.0
 * cache.h -- what the frozen prefix computes, kept by sample id (probes, partial tuning and side networks
 * then skip the backbone from the second epoch on). Fixed memory: full means no further samples are kept. */
#ifndef PF_CACHE_H
#define PF_CACHE_H
#include "core/train/team.h"

typedef struct pf_cache {
    peft_context *ctx;
    int64_t *id;                         /* [buckets], -1: free */
    uint32_t *slot;                      /* [buckets] */
    char *data;                          /* [room][sample_bytes] */
    size_t buckets, room, used, sample_bytes;
    int64_t hits, misses;
} pf_cache;

/* For nets of c's structure; a limit too small for one sample, or nothing to keep, makes a cache that never hits. */
peft_status pf_cache_create(pf_cache *cache, const pf_compiled *c, int64_t limit);
void        pf_cache_free(pf_cache *cache);
size_t      pf_cache_bytes(const pf_cache *cache);
/* All n samples known: their values are put where the prefix would have left them; true. */
bool        pf_cache_fetch(pf_cache *cache, const pf_compiled *c, const int64_t *ids, int64_t n);
/* After the prefix has run: keeps samples that are new and finite, as far as there is room. */
void        pf_cache_keep(pf_cache *cache, const pf_compiled *c, const int64_t *ids, int64_t n);
#endif
