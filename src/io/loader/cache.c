/* SPDX-License-Identifier: Apache-2.0
 * cache.c -- io_cache: keeps images in memory, so that a data set is decoded and resized once and not in every
 * epoch. */
#include "io/loader/loader.h"

peft_status io_cache_init(io_cache *c, peft_context *ctx, int64_t count, int64_t limit)
{
    peft_image **image = io_alloc(ctx, count, sizeof *image);
    if (!image) return io_nomem("loader");
    if (pthread_mutex_init(&c->lock, NULL)) {
        peft_sys_free(ctx, image);
        return io_nomem("loader");
    }
    c->ctx = ctx;
    c->image = image;
    c->count = count;
    c->limit = limit;
    c->used = 0;
    return PEFT_OK;
}

void io_cache_clear(io_cache *c)
{
    if (!c->image) return;
    for (int64_t i = 0; i < c->count; i++) peft_image_free(c->image[i]);
    peft_sys_free(c->ctx, c->image);
    pthread_mutex_destroy(&c->lock);
}

peft_image *io_cache_look_up(io_cache *c, int64_t i)
{
    pthread_mutex_lock(&c->lock);
    peft_image *im = c->image[i] ? io_image_retain(c->image[i]) : NULL;
    pthread_mutex_unlock(&c->lock);
    return im;
}

void io_cache_add(io_cache *c, int64_t i, const peft_image *im)
{
    int64_t bytes = (int64_t)io_image_memory(im);
    pthread_mutex_lock(&c->lock);
    if (!c->image[i] && bytes <= c->limit - c->used) {
        c->image[i] = io_image_retain(im);
        c->used += bytes;
    }
    pthread_mutex_unlock(&c->lock);
}
