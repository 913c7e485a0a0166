/* SPDX-License-Identifier: Apache-2.0
 * cache.c -- io_cache: keeps images and masks in memory, so that a data set is decoded and resized once and not in
 * every epoch. */
#include "io/loader/loader.h"

void io_prepared_free(io_prepared *p)
{
    peft_image_free(p->image);
    peft_mask_free(p->mask);
}

peft_status io_cache_init(io_cache *c, peft_context *ctx, int64_t count, int64_t limit)
{
    io_prepared *sample = io_alloc(ctx, count, sizeof *sample);
    if (!sample) return io_nomem("loader");
    if (pthread_mutex_init(&c->lock, NULL)) {
        peft_sys_free(ctx, sample);
        return io_nomem("loader");
    }
    c->ctx = ctx;
    c->sample = sample;
    c->count = count;
    c->limit = limit;
    c->used = 0;
    c->full = false;
    return PEFT_OK;
}

bool io_cache_full(io_cache *c)
{
    pthread_mutex_lock(&c->lock);
    const bool full = c->full;
    pthread_mutex_unlock(&c->lock);
    return full;
}

void io_cache_clear(io_cache *c)
{
    if (!c->sample) return;
    for (int64_t i = 0; i < c->count; i++) io_prepared_free(&c->sample[i]);
    peft_sys_free(c->ctx, c->sample);
    pthread_mutex_destroy(&c->lock);
}

/* Both with one more reference. */
static io_prepared retain(const io_prepared *p)
{
    return (io_prepared){ io_image_retain(p->image), p->mask ? io_mask_retain(p->mask) : NULL };
}

bool io_cache_look_up(io_cache *c, int64_t i, io_prepared *out)
{
    pthread_mutex_lock(&c->lock);
    const bool cached = c->sample[i].image;
    if (cached) *out = retain(&c->sample[i]);
    pthread_mutex_unlock(&c->lock);
    return cached;
}

bool io_cache_add(io_cache *c, int64_t i, const io_prepared *p)
{
    const size_t mask_bytes = p->mask ? sizeof *p->mask + io_mask_bytes(p->mask) : 0;
    const int64_t bytes = (int64_t)(io_image_memory(p->image) + mask_bytes);
    pthread_mutex_lock(&c->lock);
    const bool cached = c->sample[i].image, room = cached || bytes <= c->limit - c->used;
    if (room && !cached) {
        c->sample[i] = retain(p);
        c->used += bytes;
    }
    c->full = c->full || !room;
    pthread_mutex_unlock(&c->lock);
    return room;
}
