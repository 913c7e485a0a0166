/* SPDX-License-Identifier: Apache-2.0
 * prepare.c -- the image of a sample and its mask, ready for the random steps of the transform: from the cache, or
 * loaded. With a slice all slices of its file are prepared, as far as the cache has room, so that a volume is read and
 * unpacked once although the order of samples is random. */
#include "io/loader/loader.h"

/* Loads and prepares the image of sample i and its mask, which has the size of the image as it is loaded. */
static peft_status load(peft_loader *l, int64_t i, io_use use, io_prepared *out)
{
    peft_image *im;
    peft_mask *mask = NULL;
    peft_status s = peft_dataset_load(l->data, i, &im);
    if (s) return s;
    if (l->data->masks) s = io_masks_load(l->data, i, im, &mask);
    if (!s) s = io_transform_prepare(l->transform, im, use, &out->image);
    if (!s && mask) s = io_transform_prepare_mask(l->transform, mask, use, &out->mask);
    peft_image_free(im);
    peft_mask_free(mask);
    return s;
}

/* Adds the other slices of the file of sample i to the cache, in their order; `slices` of them, of which i is number
 * `slice`. One that fails is left to the batch that it belongs to. */
static void cache_other_slices(peft_loader *l, int64_t i, int64_t slice, int64_t slices, io_use use)
{
    const int64_t begin = peft_dataset_id(l->data, i) - slice;
    bool room = true;
    for (int64_t k = 0; k < l->data->count && room; k++) {
        io_prepared p = { NULL, NULL };
        const int64_t id = peft_dataset_id(l->data, k);
        if (id < begin || id >= begin + slices || k == i) continue;
        if (!io_cache_look_up(&l->cache, k, &p) && !load(l, k, use, &p)) room = io_cache_add(&l->cache, k, &p);
        io_prepared_free(&p);
    }
}

/* Under a lock: two threads on two volumes would replace each other's file, of which the data set keeps one in memory.
 * So the loader's threads read slices one after the other, until the cache is full. */
static peft_status prepare_slice(peft_loader *l, int64_t i, int64_t slice, int64_t slices, io_use use,
                                 io_prepared *out)
{
    peft_status s = PEFT_OK;
    pthread_mutex_lock(&l->reading);
    if (!io_cache_look_up(&l->cache, i, out)) {
        s = load(l, i, use, out);
        if (!s && io_cache_add(&l->cache, i, out)) cache_other_slices(l, i, slice, slices, use);
    }
    pthread_mutex_unlock(&l->reading);
    return s;
}

peft_status io_loader_prepare(peft_loader *l, int64_t i, io_use use, io_prepared *out)
{
    int64_t slices;
    const int64_t slice = io_slice_of(l->data, i, &slices);
    *out = (io_prepared){ NULL, NULL };
    if (io_cache_look_up(&l->cache, i, out)) return PEFT_OK;
    if (slice >= 0 && !io_cache_full(&l->cache)) return prepare_slice(l, i, slice, slices, use, out);
    peft_status s = load(l, i, use, out);
    if (!s) (void)io_cache_add(&l->cache, i, out);
    return s;
}
