/* SPDX-License-Identifier: Apache-2.0
 * cache.c -- values that cross from the frozen prefix into the rest of the graph, by sample. */
#include <string.h>
#include "core/model/state.h"
#include "core/train/cache.h"

/* Calls fn for every value made in the prefix and read behind it; false when one has no leading batch extent. */
typedef void (*crossing_fn)(void *user, pk_real *data, size_t bytes_per_sample);
static bool crossings(const pf_compiled *c, crossing_fn fn, void *user)
{
    const pf_graph *g = &c->exec.g;
    for (uint32_t i = 0; i < g->prefix; i++)
        for (int k = 0; k < PF_MAX_OUT; k++) {
            pf_val v = g->node[i].out[k];
            if (!pf_is(v) || pf_is(pf_v(g, v)->view_of) || c->exec.plan.offset[v.id] == SIZE_MAX) continue;
            if (!pf_v(g, v)->crosses && !pf_eq(v, c->logits)) continue;
            const pf_shape *s = &pf_v(g, v)->shape;
            if (!s->ndim || s->dim[0] != c->batch) return false;
            fn(user, pf_exec_data(&c->exec, v), (size_t)(pf_shape_count(s) / c->batch) * sizeof(pk_real));
        }
    return true;
}

static void add_bytes(void *user, pk_real *data, size_t bytes)
{
    (void)data;
    *(size_t *)user += bytes;
}

peft_status pf_cache_create(pf_cache *cache, const pf_compiled *c, int64_t limit)
{
    *cache = (pf_cache){ .ctx = c->exec.g.ctx };
    size_t bytes = 0;
    if (!crossings(c, add_bytes, &bytes) || !bytes || limit < (int64_t)bytes) return PEFT_OK;
    cache->sample_bytes = bytes;
    cache->room = (size_t)limit / bytes;
    if (cache->room > UINT32_MAX / 2) cache->room = UINT32_MAX / 2;
    for (cache->buckets = 64; cache->buckets < 2 * cache->room; cache->buckets *= 2) {}
    cache->id = pf_alloc(cache->ctx, cache->buckets * sizeof *cache->id);
    cache->slot = pf_alloc(cache->ctx, cache->buckets * sizeof *cache->slot);
    cache->data = pf_alloc(cache->ctx, cache->room * bytes);
    if (!cache->id || !cache->slot || !cache->data) {
        pf_cache_free(cache);
        return pf_nomem("cache_features", (size_t)limit);
    }
    for (size_t i = 0; i < cache->buckets; i++) cache->id[i] = -1;
    return PEFT_OK;
}

void pf_cache_free(pf_cache *cache)
{
    pf_free(cache->ctx, cache->id);
    pf_free(cache->ctx, cache->slot);
    pf_free(cache->ctx, cache->data);
    *cache = (pf_cache){ .ctx = cache->ctx };
}

size_t pf_cache_bytes(const pf_cache *cache)
{
    return cache->room * cache->sample_bytes + cache->buckets * (sizeof *cache->id + sizeof *cache->slot);
}

static size_t bucket_of(const pf_cache *cache, int64_t id)
{
    size_t i = (size_t)((uint64_t)id * 0x9E3779B97F4A7C15u >> 20) & (cache->buckets - 1);
    while (cache->id[i] != -1 && cache->id[i] != id) i = (i + 1) & (cache->buckets - 1);
    return i;
}

typedef struct { char *slot; size_t at; int64_t sample; bool store, bad; } copy_job;

static void check(void *user, pk_real *data, size_t bytes)
{
    copy_job *j = user;
    int64_t n = (int64_t)(bytes / sizeof *data);
    j->bad |= !pf_finite(data + j->sample * n, n);
}

static void copy(void *user, pk_real *data, size_t bytes)
{
    copy_job *j = user;
    char *net = (char *)data + (size_t)j->sample * bytes;
    if (j->store) memcpy(j->slot + j->at, net, bytes);
    else memcpy(net, j->slot + j->at, bytes);
    j->at += bytes;
}

bool pf_cache_fetch(pf_cache *cache, const pf_compiled *c, const int64_t *ids, int64_t n)
{
    if (!cache->room || !ids) return false;
    for (int64_t i = 0; i < n; i++)
        if (ids[i] < 0 || cache->id[bucket_of(cache, ids[i])] == -1) {
            cache->misses += n;
            return false;
        }
    for (int64_t i = 0; i < n; i++) {
        copy_job j = { cache->data + (size_t)cache->slot[bucket_of(cache, ids[i])] * cache->sample_bytes, 0, i, false,
                       false };
        crossings(c, copy, &j);
    }
    cache->hits += n;
    return true;
}

void pf_cache_keep(pf_cache *cache, const pf_compiled *c, const int64_t *ids, int64_t n)
{
    for (int64_t i = 0; cache->room && ids && i < n; i++) {
        if (ids[i] < 0 || cache->used == cache->room) continue;
        size_t b = bucket_of(cache, ids[i]);
        if (cache->id[b] != -1) continue;
        copy_job j = { cache->data + cache->used * cache->sample_bytes, 0, i, true, false };
        crossings(c, check, &j);
        if (j.bad) continue;
        cache->id[b] = ids[i];
        cache->slot[b] = (uint32_t)cache->used++;
        crossings(c, copy, &j);
    }
}
