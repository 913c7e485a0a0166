/* SPDX-License-Identifier: Apache-2.0
 * cache_memory.c -- the cache's records in one block of memory, taken at once. */
#include <string.h>
#include "core/train/cache/cache.h"

typedef struct { pf_shelf s; char *data; } shelf;

static bool read_part(pf_shelf *s, size_t number, size_t at, void *to, size_t bytes)
{
    memcpy(to, ((shelf *)s)->data + number * s->record + at, bytes);
    return true;
}

static bool write_part(pf_shelf *s, size_t number, size_t at, const void *from, size_t bytes)
{
    memcpy(((shelf *)s)->data + number * s->record + at, from, bytes);
    return true;
}

static void close_shelf(pf_shelf *s)
{
    pf_free(s->ctx, ((shelf *)s)->data);
    pf_free(s->ctx, s);
}

peft_status pf_shelf_in_memory(peft_context *ctx, size_t record, size_t room, pf_shelf **out)
{
    shelf *s = pf_alloc_zero(ctx, sizeof *s);
    char *data = s ? pf_alloc(ctx, room * record) : NULL;
    if (!data) {
        pf_free(ctx, s);
        return pf_nomem("cache_features", room * record);
    }
    s->s = (pf_shelf){ .ctx = ctx, .room = room, .record = record, .bytes = sizeof *s + room * record,
                       .read = read_part, .write = write_part, .close = close_shelf };
    s->data = data;
    *out = &s->s;
    return PEFT_OK;
}
