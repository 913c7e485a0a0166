/* SPDX-License-Identifier: Apache-2.0
 * cache.c -- the feature cache: a hash table from sample ids to records, and the copying between the crossing values of
 * a graph (the features: what the frozen prefix computes and the rest reads) and a record. forward.c uses it. */
#include "core/bits/sum.h"
#include "core/bits/finite.h"
#include "core/train/cache/cache.h"

enum { CHUNK = 1 << 16 };                /* elements that are converted or copied at a time */

/* Makes the hash table, with at least two buckets for each record. */
static peft_status make_table(pf_cache *cache)
{
    /* so that the index of a record fits in pf_cache.record */
    if (cache->records->capacity > UINT32_MAX / 2) cache->records->capacity = UINT32_MAX / 2;
    for (cache->buckets = 64; cache->buckets < 2 * cache->records->capacity; cache->buckets *= 2) {}
    cache->id = pf_alloc(cache->ctx, cache->buckets * sizeof *cache->id);
    cache->record = pf_alloc(cache->ctx, cache->buckets * sizeof *cache->record);
    if (!cache->id || !cache->record)
        return pf_nomem("cache_features: index", cache->buckets * (sizeof *cache->id + sizeof *cache->record));
    for (size_t i = 0; i < cache->buckets; i++) cache->id[i] = -1;
    return PEFT_OK;
}

/* The bucket of id, or the free one in which it would be entered. */
static size_t bucket_of(const pf_cache *cache, int64_t id)
{
    const uint64_t hash = (uint64_t)id * 0x9E3779B97F4A7C15u;        /* 2^64 / golden ratio: Fibonacci hashing */
    /* The low bits of the product depend on few bits of id: 20 are dropped, 44 remain. buckets is a power of two. */
    size_t i = (size_t)(hash >> 20) & (cache->buckets - 1);
    while (cache->id[i] != -1 && cache->id[i] != id) i = (i + 1) & (cache->buckets - 1);
    return i;
}

/* Enters the records of a cache file in the table. Incomplete records at its end are dropped and written
 * over. */
static void read_ids(pf_cache *cache)
{
    pf_records *r = cache->records;
    int64_t id;
    uint64_t checksum;
    while (r->count && !r->committed(r, r->count - 1, &id, &checksum)) r->count--;
    for (size_t i = 0; i < r->count; i++) {
        if (!r->committed(r, i, &id, &checksum)) continue;
        size_t b = bucket_of(cache, id);
        cache->id[b] = id;
        cache->record[b] = (uint32_t)i;
    }
}

/* Opens the storage in a file or in memory. Makes none in memory if the limit is too small for one sample. */
static peft_status open_records(pf_cache *cache, const pf_cache_spec *spec)
{
    char key[PF_PREFIX_KEY_SIZE];
    pf_record_file file = { .path = spec->path, .key = key, .kernels = spec->kernels, .type = cache->type,
                            .record_bytes = cache->sample_bytes, .limit = (size_t)spec->limit };
    size_t capacity = file.limit / cache->sample_bytes;
    if (spec->path) {
        PF_TRY(pf_prefix_key(&spec->front->exec.g, NULL, PF_CONSTANTS_BY_CONTENT, key));
        PF_TRY(pf_records_in_file(cache->ctx, &file, &cache->records));
    } else if (capacity) {
        PF_TRY(pf_records_in_memory(cache->ctx, cache->sample_bytes, capacity, &cache->records));
    }
    return PEFT_OK;
}

peft_status pf_cache_create(pf_cache *cache, const pf_cache_spec *spec)
{
    int64_t values = 0, largest = 0;
    *cache = (pf_cache){ .ctx = spec->ctx, .type = spec->as_f16 ? PEFT_F16 : PF_REAL };
    for (uint32_t i = 0; i < spec->front->crossings; i++) {
        int64_t n = spec->front->crossing[i].count;
        values += n;
        if (n > largest) largest = n;
    }
    cache->sample_bytes = (size_t)values * pf_dtype_size(cache->type);
    if (!values && spec->path)
        return pf_fail(PEFT_E_OPTION, "cache_file '%s': this model computes nothing before its trained parameters that "
                       "could be kept for each sample; leave cache_file out", spec->path);
    if (!values) return PEFT_OK;
    if (spec->as_f16) {
        cache->chunk_bytes = (size_t)(largest < CHUNK ? largest : CHUNK) * pf_dtype_size(cache->type);
        cache->chunk = pf_alloc(cache->ctx, cache->chunk_bytes);
        if (!cache->chunk) return pf_nomem("cache_features", cache->chunk_bytes);
    }
    PF_TRY(open_records(cache, spec));
    if (!cache->records) return PEFT_OK;
    PF_TRY(make_table(cache));
    if (cache->records->commit) read_ids(cache);           /* a file, perhaps with records of an earlier trainer */
    return PEFT_OK;
}

void pf_cache_free(pf_cache *cache)
{
    if (!cache->ctx) return;
    if (cache->records) cache->records->close(cache->records);
    pf_free(cache->ctx, cache->id);
    pf_free(cache->ctx, cache->record);
    pf_free(cache->ctx, cache->chunk);
    *cache = (pf_cache){ .ctx = cache->ctx };
}

size_t pf_cache_bytes(const pf_cache *cache)
{
    return (cache->records ? cache->records->memory_bytes : 0) + cache->chunk_bytes
         + cache->buckets * (sizeof *cache->id + sizeof *cache->record);
}

bool pf_cache_has(const pf_cache *cache, int64_t id)
{
    return cache->buckets && id >= 0 && cache->id[bucket_of(cache, id)] == id;
}

/* A sample's values are copied to or from the record `index` in chunks of at most CHUNK elements. A chunk_fn gets the n
 * values x of a chunk and the offset in bytes of the chunk in the record. checksum: of the chunks so far. */
typedef struct { pf_cache *cache; size_t index; uint64_t checksum; } transfer;
typedef bool (*chunk_fn)(transfer *t, pk_real *x, int64_t n, size_t offset);

/* Calls fn for each chunk of the crossing values of one sample, until fn returns false. */
static bool each_chunk(transfer *t, const pf_compiled *c, int64_t sample, chunk_fn fn)
{
    const size_t size = pf_dtype_size(t->cache->type);
    size_t offset = 0;
    for (uint32_t i = 0; i < c->crossings; i++) {
        pk_real *x = pf_crossing_data(c, i, sample);
        for (int64_t left = c->crossing[i].count; left > 0;) {
            const int64_t n = left < CHUNK ? left : CHUNK;
            if (!fn(t, x, n, offset)) return false;
            x += n;
            left -= n;
            offset += (size_t)n * size;
        }
    }
    return true;
}

/* Whether all values can be stored. false: one is not finite, or, if the cache stores f16, beyond its range. */
static bool storable(transfer *t, pk_real *x, int64_t n, size_t offset)
{
    const pk_real f16_max = 65504;
    (void)offset;
    if (t->cache->type != PEFT_F16) return pf_finite(x, n);
    for (int64_t i = 0; i < n; i++) if (!(x[i] >= -f16_max && x[i] <= f16_max)) return false;
    return true;
}

/* Rounds the values in the graph as the cache's type does, so that they equal those that are fetched later. */
static bool round_chunk(transfer *t, pk_real *x, int64_t n, size_t offset)
{
    (void)offset;
    return pf_from_real(t->cache->chunk, t->cache->type, x, n) && pf_to_real(x, t->cache->chunk, t->cache->type, n);
}

/* Writes the values to the record, converted to the cache's type. */
static bool write_chunk(transfer *t, pk_real *x, int64_t n, size_t offset)
{
    const pf_cache *cache = t->cache;
    const size_t bytes = (size_t)n * pf_dtype_size(cache->type);
    const void *from = cache->chunk ? cache->chunk : x;
    if (cache->chunk) pf_from_real(cache->chunk, cache->type, x, n);
    if (cache->records->commit) t->checksum = pf_checksum_after(t->checksum, from, bytes);
    return cache->records->write(cache->records, t->index, offset, from, bytes);
}

/* Reads the values from the record, and converts them back. */
static bool read_chunk(transfer *t, pk_real *x, int64_t n, size_t offset)
{
    const pf_cache *cache = t->cache;
    const size_t bytes = (size_t)n * pf_dtype_size(cache->type);
    void *to = cache->chunk ? cache->chunk : x;
    if (!cache->records->read(cache->records, t->index, offset, to, bytes)) return false;
    if (cache->records->commit) t->checksum = pf_checksum_after(t->checksum, to, bytes);
    return !cache->chunk || pf_to_real(x, to, cache->type, n);
}

/* Reads the record `t->index` of sample id into the graph. false: a file's record is damaged or has another id. */
static bool read_record(transfer *t, const pf_compiled *c, int64_t sample, int64_t id)
{
    pf_records *r = t->cache->records;
    int64_t committed_id;
    uint64_t committed_checksum;
    if (!r->commit) return each_chunk(t, c, sample, read_chunk);       /* in memory, where nothing is committed */
    return r->committed(r, t->index, &committed_id, &committed_checksum) && committed_id == id
        && each_chunk(t, c, sample, read_chunk) && t->checksum == committed_checksum;
}

bool pf_cache_fetch(pf_cache *cache, const pf_compiled *c, int64_t sample, int64_t id)
{
    const bool in_table = pf_cache_has(cache, id);
    transfer t = { .cache = cache, .index = in_table ? cache->record[bucket_of(cache, id)] : 0 };
    const bool found = in_table && read_record(&t, c, sample, id);
    if (in_table && !found)
        pf_warn(cache->ctx, "cache: the record of sample id %lld cannot be read or is damaged; its features are "
                "computed again", (long long)id);
    if (found) cache->hits++;
    else if (cache->records) cache->misses++;
    return found;
}

/* Sets *index to the record to write for id: the one that id has, perhaps damaged, or the next free one. false: all are
 * used, or there is no id. */
static bool find_record(const pf_cache *cache, int64_t id, size_t *index)
{
    if (!cache->records || id < 0) return false;
    size_t b = bucket_of(cache, id);
    *index = cache->id[b] == id ? cache->record[b] : cache->records->count;
    return *index < cache->records->capacity;
}

void pf_cache_keep(pf_cache *cache, const pf_compiled *c, int64_t sample, int64_t id)
{
    transfer t = { .cache = cache };
    if (!each_chunk(&t, c, sample, storable)) return;
    if (cache->chunk) each_chunk(&t, c, sample, round_chunk);
    if (!find_record(cache, id, &t.index) || !each_chunk(&t, c, sample, write_chunk)) return;
    if (cache->records->commit && !cache->records->commit(cache->records, t.index, id, t.checksum)) return;
    size_t b = bucket_of(cache, id);
    cache->id[b] = id;
    cache->record[b] = (uint32_t)t.index;
    if (t.index == cache->records->count) cache->records->count++;
}
