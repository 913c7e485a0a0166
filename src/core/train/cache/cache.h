/* SPDX-License-Identifier: Apache-2.0
 * cache.h -- the feature cache of a trainer: the values that the frozen prefix computes for a sample, by sample id.
 * Probes, partial tuning and side networks then skip the backbone from the second epoch on. A crossing value is one
 * that the prefix computes and the rest of the graph reads. A record holds those of one sample one after another, in
 * memory (cache_memory.c) or in a file (cache_file.c). */
#ifndef PF_CACHE_H
#define PF_CACHE_H
#include "core/train/session/compiled.h"

/* Storage for records of equal size with the indices 0 .. count - 1. A record is written in chunks from its start on,
 * then committed with its id and the checksum of its values. commit and committed are NULL for storage in memory, which
 * needs neither. The functions return false if the record cannot be read or written. */
typedef struct pf_records pf_records;
struct pf_records {
    peft_context *ctx;
    size_t capacity, count, record_bytes;
    size_t memory_bytes;                 /* memory that this storage uses, for peft_trainer_get */
    bool (*read)(pf_records *r, size_t index, size_t offset, void *to, size_t bytes);
    bool (*write)(pf_records *r, size_t index, size_t offset, const void *from, size_t bytes);
    bool (*commit)(pf_records *r, size_t index, int64_t id, uint64_t checksum);
    bool (*committed)(pf_records *r, size_t index, int64_t *id, uint64_t *checksum);   /* false: not, or damaged */
    void (*close)(pf_records *r);
};

/* id and record are a hash table with linear probing: bucket b says that sample id[b] has the record of index
 * record[b]. */
typedef struct pf_cache {
    peft_context *ctx;
    pf_records *records;                 /* NULL: nothing is cached */
    peft_dtype type;                     /* of cached values: PF_REAL or PEFT_F16 */
    size_t sample_bytes;                 /* of a sample's crossing values in that type; 0: there are none */
    int64_t *id;                         /* [buckets]; -1: the bucket is free */
    uint32_t *record;                    /* [buckets] */
    size_t buckets;
    void *chunk; size_t chunk_bytes;     /* buffer for conversion from and to f16; NULL: values are cached as PF_REAL */
    int64_t hits, misses;
} pf_cache;

typedef struct pf_cache_spec {
    peft_context *ctx;
    const pf_compiled *front;            /* the frozen prefix, whose crossing values are cached */
    int64_t limit;                       /* largest size of all records, or of the file, in bytes */
    bool as_f16;                         /* values are rounded to f16 */
    const char *path;                    /* cache file; NULL: in memory */
    const char *kernels;                 /* pf_engine_kernels_text of the trainer's engine; NULL without path */
} pf_cache_spec;

/* If the front has no crossing values, or if the limit is too small for one sample in memory, the cache stays empty. */
peft_status pf_cache_create(pf_cache *cache, const pf_cache_spec *spec);
void        pf_cache_free(pf_cache *cache);
size_t      pf_cache_bytes(const pf_cache *cache);                    /* memory, without the file */
bool        pf_cache_has(const pf_cache *cache, int64_t id);
/* Copies the cached values of id to the crossing values of c for sample `sample` of the batch. false: id is not cached,
 * or its record is damaged. */
bool        pf_cache_fetch(pf_cache *cache, const pf_compiled *c, int64_t sample, int64_t id);
/* Stores the crossing values of c for sample `sample` of the batch under id, if they are finite, id is >= 0 and a
 * record is free. With f16 finite values in c are rounded, as pf_cache_fetch will return them, even if no record is
 * free. */
void        pf_cache_keep(pf_cache *cache, const pf_compiled *c, int64_t sample, int64_t id);

peft_status pf_records_in_memory(peft_context *ctx, size_t record_bytes, size_t capacity, pf_records **out);
/* limit: largest size of the file in bytes; key: digest of the frozen prefix (pf_prefix_key); kernels: as in
 * pf_cache_spec. The last two must equal those in the file's header. */
typedef struct pf_record_file {
    const char *path, *key, *kernels;
    peft_dtype type;
    size_t record_bytes, limit;
} pf_record_file;
peft_status pf_records_in_file(peft_context *ctx, const pf_record_file *spec, pf_records **out);
#endif
