/* SPDX-License-Identifier: Apache-2.0
 * cache_memory.c -- storage of a feature cache in memory: one block for all records, allocated when the trainer is
 * made. */
#include <string.h>
#include "core/train/cache/cache.h"

/* records is the first member, because pf_records * is cast to memory_records *. */
typedef struct { pf_records records; char *data; } memory_records;

static bool read_chunk(pf_records *r, size_t index, size_t offset, void *to, size_t bytes)
{
    memcpy(to, ((memory_records *)r)->data + index * r->record_bytes + offset, bytes);
    return true;
}

static bool write_chunk(pf_records *r, size_t index, size_t offset, const void *from, size_t bytes)
{
    memcpy(((memory_records *)r)->data + index * r->record_bytes + offset, from, bytes);
    return true;
}

static void close_memory(pf_records *r)
{
    pf_free(r->ctx, ((memory_records *)r)->data);
    pf_free(r->ctx, r);
}

peft_status pf_records_in_memory(peft_context *ctx, size_t record_bytes, size_t capacity, pf_records **out)
{
    memory_records *m = pf_alloc_zero(ctx, sizeof *m);
    char *data = m ? pf_alloc(ctx, capacity * record_bytes) : NULL;
    if (!data) {
        pf_free(ctx, m);
        return pf_nomem("cache_features", capacity * record_bytes);
    }
    m->records = (pf_records){ .ctx = ctx, .capacity = capacity, .record_bytes = record_bytes,
                               .memory_bytes = sizeof *m + capacity * record_bytes,
                               .read = read_chunk, .write = write_chunk, .close = close_memory };
    m->data = data;
    *out = &m->records;
    return PEFT_OK;
}
