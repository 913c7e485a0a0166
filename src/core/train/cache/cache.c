/* SPDX-License-Identifier: Apache-2.0
 * cache.c -- samples by id, and their values on the way between the graph and a record. */
#include "core/bits/sum.h"
#include "core/bits/finite.h"
#include "core/train/cache/cache.h"

enum { PART = 1 << 16 };                 /* elements moved at once */

static peft_status make_index(pf_cache *cache)
{
    if (cache->shelf->room > UINT32_MAX / 2) cache->shelf->room = UINT32_MAX / 2;
    for (cache->buckets = 64; cache->buckets < 2 * cache->shelf->room; cache->buckets *= 2) {}
    cache->id = pf_alloc(cache->ctx, cache->buckets * sizeof *cache->id);
    cache->number = pf_alloc(cache->ctx, cache->buckets * sizeof *cache->number);
    if (!cache->id || !cache->number)
        return pf_nomem("cache_features: index", cache->buckets * (sizeof *cache->id + sizeof *cache->number));
    for (size_t i = 0; i < cache->buckets; i++) cache->id[i] = -1;
    return PEFT_OK;
}

static size_t bucket_of(const pf_cache *cache, int64_t id)
{
    size_t i = (size_t)((uint64_t)id * 0x9E3779B97F4A7C15u >> 20) & (cache->buckets - 1);
    while (cache->id[i] != -1 && cache->id[i] != id) i = (i + 1) & (cache->buckets - 1);
    return i;
}

/* What a file held already; an unfinished end is written over. */
static void learn_ids(pf_cache *cache)
{
    pf_shelf *s = cache->shelf;
    int64_t id;
    uint64_t sum;
    while (s->used && !s->sealed(s, s->used - 1, &id, &sum)) s->used--;
    for (size_t i = 0; i < s->used; i++) {
        if (!s->sealed(s, i, &id, &sum)) continue;
        size_t b = bucket_of(cache, id);
        cache->id[b] = id;
        cache->number[b] = (uint32_t)i;
    }
}

static peft_status make_shelf(pf_cache *cache, const pf_cache_spec *spec)
{
    char key[65];
    pf_shelf_file file = { .path = spec->path, .key = key, .by = spec->by, .type = cache->type,
                           .record = cache->sample_bytes,
                           .limit = (size_t)spec->limit };
    size_t room = file.limit / cache->sample_bytes;
    if (spec->path) {
        PF_TRY(pf_prefix_key(&spec->front->exec.g, NULL, true, key));
        PF_TRY(pf_shelf_in_file(cache->ctx, &file, &cache->shelf));
    } else if (room) {
        PF_TRY(pf_shelf_in_memory(cache->ctx, cache->sample_bytes, room, &cache->shelf));
    }
    return PEFT_OK;
}

peft_status pf_cache_create(pf_cache *cache, const pf_cache_spec *spec)
{
    int64_t values = 0, most = 0;
    *cache = (pf_cache){ .ctx = spec->ctx, .type = spec->half ? PEFT_F16 : PF_REAL };
    for (uint32_t i = 0; i < spec->front->crossings; i++) {
        int64_t n = spec->front->crossing[i].count;
        values += n;
        if (n > most) most = n;
    }
    cache->sample_bytes = (size_t)values * pf_dtype_size(cache->type);
    if (!values && spec->path)
        return pf_fail(PEFT_E_OPTION, "cache_file '%s': this model computes nothing that could be kept", spec->path);
    if (!values) return PEFT_OK;
    if (spec->half) {
        cache->part_bytes = (size_t)(most < PART ? most : PART) * pf_dtype_size(cache->type);
        cache->part = pf_alloc(cache->ctx, cache->part_bytes);
        if (!cache->part) return pf_nomem("cache_features", cache->part_bytes);
    }
    PF_TRY(make_shelf(cache, spec));
    if (!cache->shelf) return PEFT_OK;
    PF_TRY(make_index(cache));
    if (cache->shelf->seal) learn_ids(cache);
    return PEFT_OK;
}

void pf_cache_free(pf_cache *cache)
{
    if (!cache->ctx) return;
    if (cache->shelf) cache->shelf->close(cache->shelf);
    pf_free(cache->ctx, cache->id);
    pf_free(cache->ctx, cache->number);
    pf_free(cache->ctx, cache->part);
    *cache = (pf_cache){ .ctx = cache->ctx };
}

size_t pf_cache_bytes(const pf_cache *cache)
{
    return (cache->shelf ? cache->shelf->bytes : 0) + cache->part_bytes
         + cache->buckets * (sizeof *cache->id + sizeof *cache->number);
}

bool pf_cache_knows(const pf_cache *cache, int64_t id)
{
    return cache->buckets && id >= 0 && cache->id[bucket_of(cache, id)] == id;
}

/* A walk over a sample's values in parts of at most PART elements; at: where such a part stands in the record. */
typedef struct { pf_cache *cache; size_t number; uint64_t sum; } walk;
typedef bool (*part_fn)(walk *w, pk_real *x, int64_t n, size_t at);

static bool each_part(walk *w, const pf_compiled *c, int64_t sample, part_fn fn)
{
    const size_t size = pf_dtype_size(w->cache->type);
    size_t at = 0;
    for (uint32_t i = 0; i < c->crossings; i++) {
        pk_real *x = pf_crossing_data(c, i, sample);
        for (int64_t k = 0, n; k < c->crossing[i].count; k += n, at += (size_t)n * size) {
            n = c->crossing[i].count - k < PART ? c->crossing[i].count - k : PART;
            if (!fn(w, x + k, n, at)) return false;
        }
    }
    return true;
}

static bool storable(walk *w, pk_real *x, int64_t n, size_t at)
{
    (void)at;
    if (w->cache->type != PEFT_F16) return pf_finite(x, n);
    for (int64_t i = 0; i < n; i++) if (!(x[i] >= -65504 && x[i] <= 65504)) return false;
    return true;
}

static bool round_part(walk *w, pk_real *x, int64_t n, size_t at)
{
    (void)at;
    return pf_from_real(w->cache->part, w->cache->type, x, n) && pf_to_real(x, w->cache->part, w->cache->type, n);
}

static bool write_part(walk *w, pk_real *x, int64_t n, size_t at)
{
    const pf_cache *cache = w->cache;
    const size_t bytes = (size_t)n * pf_dtype_size(cache->type);
    const void *from = cache->part ? cache->part : x;
    if (cache->part) pf_from_real(cache->part, cache->type, x, n);
    if (cache->shelf->seal) w->sum = pf_sum(w->sum, from, bytes);
    return cache->shelf->write(cache->shelf, w->number, at, from, bytes);
}

static bool read_part(walk *w, pk_real *x, int64_t n, size_t at)
{
    const pf_cache *cache = w->cache;
    const size_t bytes = (size_t)n * pf_dtype_size(cache->type);
    void *to = cache->part ? cache->part : x;
    if (!cache->shelf->read(cache->shelf, w->number, at, to, bytes)) return false;
    if (cache->shelf->seal) w->sum = pf_sum(w->sum, to, bytes);
    return !cache->part || pf_to_real(x, to, cache->type, n);
}

bool pf_cache_fetch(pf_cache *cache, const pf_compiled *c, int64_t sample, int64_t id)
{
    walk w = { .cache = cache };
    int64_t sealed_id = id;
    uint64_t sealed_sum = 0;
    bool found = pf_cache_knows(cache, id);
    if (found) {
        w.number = cache->number[bucket_of(cache, id)];
        found = (!cache->shelf->seal || cache->shelf->sealed(cache->shelf, w.number, &sealed_id, &sealed_sum))
             && sealed_id == id && each_part(&w, c, sample, read_part) && w.sum == sealed_sum;
    }
    if (!found && pf_cache_knows(cache, id))
        pf_log(cache->ctx, 1, "cache: the record of sample id %lld cannot be read or is damaged", (long long)id);
    if (found) cache->hits++;
    else if (cache->shelf) cache->misses++;
    return found;
}

/* The record an id has, though it could not be read, or the next; false: no room. */
static bool place_of(const pf_cache *cache, int64_t id, size_t *number)
{
    if (!cache->shelf || id < 0) return false;
    size_t b = bucket_of(cache, id);
    *number = cache->id[b] == id ? cache->number[b] : cache->shelf->used;
    return *number < cache->shelf->room;
}

void pf_cache_keep(pf_cache *cache, const pf_compiled *c, int64_t sample, int64_t id)
{
    walk w = { .cache = cache };
    if (!each_part(&w, c, sample, storable)) return;
    if (cache->part) each_part(&w, c, sample, round_part);
    if (!place_of(cache, id, &w.number) || !each_part(&w, c, sample, write_part)) return;
    if (cache->shelf->seal && !cache->shelf->seal(cache->shelf, w.number, id, w.sum)) return;
    size_t b = bucket_of(cache, id);
    cache->id[b] = id;
    cache->number[b] = (uint32_t)w.number;
    if (w.number == cache->shelf->used) cache->shelf->used++;
}
