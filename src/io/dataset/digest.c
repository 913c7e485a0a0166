/* SPDX-License-Identifier: Apache-2.0
 * digest.c -- peft_dataset_digest: SHA-256 over the names, ids and labels of a data set's samples in order, and over
 * the names of its classes; where it has masks, over their options and the names of their files too. */
#include "io/dataset/masks/masks.h"
#include <peft/file.h>

/* The bytes that are hashed. Each add function returns false where memory is refused. */
typedef struct bytes { peft_context *ctx; uint8_t *data; size_t size, capacity; } bytes;

/* Appends size bytes. */
static bool add(bytes *b, const void *data, size_t size)
{
    if (size > b->capacity - b->size) {
        size_t capacity = 2 * b->capacity + size + 1024;
        uint8_t *larger = peft_sys_realloc(b->ctx, b->data, capacity);
        if (!larger) return false;
        b->data = larger;
        b->capacity = capacity;
    }
    memcpy(b->data + b->size, data, size);
    b->size += size;
    return true;
}

static bool add_number(bytes *b, int64_t v)                   /* little-endian on every machine */
{
    uint8_t p[8];
    for (int i = 0; i < 8; i++) p[i] = (uint8_t)((uint64_t)v >> 8 * i);
    return add(b, p, sizeof p);
}

/* The 0 at the end is added too, so that "ab", "c" and "a", "bc" differ. */
static bool add_text(bytes *b, const char *text) { return add(b, text, strlen(text) + 1); }

/* The length, with the slash, of the longest folder in which all names lie. It is not hashed, so that a data set that
 * is moved keeps its digest. */
static size_t common_folder(const io_strings *names)
{
    const char *first = names->item[0];
    size_t n = strlen(first);
    for (int64_t i = 1; i < names->count; i++) {
        size_t common = 0;
        while (common < n && names->item[i][common] == first[common]) common++;
        n = common;
    }
    while (n && first[n - 1] != '/') n--;
    return n;
}

/* Adds name, id and label or targets of each sample. */
static bool add_samples(bytes *b, const peft_dataset *d)
{
    const size_t skip = common_folder(d->opened ? &d->opened->names : &d->names);
    bool added = true;
    for (int64_t i = 0; i < d->count && added; i++) {
        added = add_text(b, peft_dataset_name(d, i) + skip) && add_number(b, peft_dataset_id(d, i)) &&
               (d->target ? add(b, d->target + i * d->classes, (size_t)d->classes) : add_number(b, d->label[i]));
    }
    return added;
}

/* Adds the options of the masks, and the names of each sample's files. */
static bool add_masks(bytes *b, const peft_dataset *d)
{
    const io_masks *m = d->masks;
    char *options = io_masks_options_text(m);
    bool added = options && add_text(b, "masks 1") && add_text(b, options);
    const size_t skip = m->files.count ? common_folder(&m->files) : 0;
    for (int64_t i = 0; i < d->count && added; i++) {
        const char *file;
        added = add_text(b, "mask");
        for (int64_t k = 0; added && (file = peft_dataset_mask_file(d, i, k)); k++) added = add_text(b, file + skip);
    }
    peft_sys_free(b->ctx, options);
    return added;
}

peft_status peft_dataset_digest(const peft_dataset *d, char hex[65])
{
    if (!d || !hex) return io_fail(PEFT_E_INVALID, "digest: %s is NULL", d ? "hex" : "data set");
    bytes b = { .ctx = d->ctx };
    /* 1: the version of the rules by which the bytes are made. */
    bool added = add_text(&b, d->target ? "data set 1, targets" : "data set 1, labels") && add_number(&b, d->count) &&
                add_number(&b, d->classes);
    for (int64_t c = 0; c < d->classes && added; c++) added = add_text(&b, d->class_names.item[c]);
    added = added && add_samples(&b, d) && (!d->masks || add_masks(&b, d));
    if (added) peft_sha256(b.data, b.size, hex);
    peft_sys_free(b.ctx, b.data);
    return added ? PEFT_OK : io_nomem("digest of a data set");
}
