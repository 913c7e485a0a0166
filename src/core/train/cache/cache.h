/* SPDX-License-Identifier: Apache-2.0
 * cache.h -- what the frozen prefix computes, kept by sample id (probes, partial tuning and side networks then skip the
 * backbone from the second epoch on). A record is one sample's crossing values in the order of pf_crossing; where
 * records are kept is a shelf's business: memory taken at once (cache_memory.c) or a file (cache_file.c). */
#ifndef PF_CACHE_H
#define PF_CACHE_H
#include "core/train/session/compiled.h"

/* Records of equal size by number, 0 .. used - 1 of at most room. false: this record cannot be had, or be kept. A
 * record is written in parts, from its start on, and then sealed (NULL: needs no seal). */
typedef struct pf_shelf pf_shelf;
struct pf_shelf {
    peft_context *ctx;
    size_t room, used, record;           /* record: bytes */
    size_t bytes;                        /* of memory */
    bool (*read)(pf_shelf *s, size_t number, size_t at, void *to, size_t bytes);
    bool (*write)(pf_shelf *s, size_t number, size_t at, const void *from, size_t bytes);
    bool (*seal)(pf_shelf *s, size_t number, int64_t id, uint64_t sum);
    bool (*sealed)(pf_shelf *s, size_t number, int64_t *id, uint64_t *sum);      /* what seal was told */
    void (*close)(pf_shelf *s);
};

typedef struct pf_cache {
    peft_context *ctx;
    pf_shelf *shelf;                     /* NULL: nothing is kept */
    peft_dtype type;
    size_t sample_bytes;                 /* 0: nothing crosses */
    int64_t *id;                         /* [buckets], -1: free */
    uint32_t *number;                    /* [buckets] */
    size_t buckets;
    void *part; size_t part_bytes;       /* of a record, on its way from or to another type */
    int64_t hits, misses;
} pf_cache;

typedef struct pf_cache_spec {
    peft_context *ctx;
    const pf_compiled *front;            /* whose crossings are kept */
    int64_t limit;                       /* bytes of all records together */
    bool half;                           /* kept as f16 */
    const char *path;                    /* of the file they are kept in; NULL: in memory */
    const char *by;                      /* what computes them: pf_team_text */
} pf_cache_spec;

/* In memory, with a limit too small for one sample, or nothing to keep, it never hits. */
peft_status pf_cache_create(pf_cache *cache, const pf_cache_spec *spec);
void        pf_cache_free(pf_cache *cache);
size_t      pf_cache_bytes(const pf_cache *cache);
bool        pf_cache_knows(const pf_cache *cache, int64_t id);
/* Puts the values of id where c expects those of a sample; false: not known, or not readable any more. */
bool        pf_cache_fetch(pf_cache *cache, const pf_compiled *c, int64_t sample, int64_t id);
/* Values just computed for a sample of c: brought to what fetch would return for them (f16: rounded), and kept as far
 * as there is room, if finite and with an id (>= 0). */
void        pf_cache_keep(pf_cache *cache, const pf_compiled *c, int64_t sample, int64_t id);

peft_status pf_shelf_in_memory(peft_context *ctx, size_t record, size_t room, pf_shelf **out);
/* limit: bytes of the file; key: of what computes the values (graph.h, pf_prefix_key), by: with which kernels. */
typedef struct pf_shelf_file { const char *path, *key, *by; peft_dtype type; size_t record, limit; } pf_shelf_file;
peft_status pf_shelf_in_file(peft_context *ctx, const pf_shelf_file *spec, pf_shelf **out);
#endif
