/* SPDX-License-Identifier: Apache-2.0
 * dataset.c -- functions for data sets of every kind: references, getters, labels and targets, loading one image. */
#include "io/dataset/dataset.h"
#include "io/dataset/groups.h"
#include "io/dataset/masks/masks.h"
#include <stdio.h>

peft_status io_dataset_new(peft_context *ctx, peft_dataset **out)
{
    peft_dataset *d = io_alloc(ctx, 1, sizeof *d);
    if (!d) return io_nomem("data set");
    d->ctx = d->names.ctx = d->class_names.ctx = d->mask_names.ctx = peft_sys_context_retain(ctx);
    atomic_init(&d->refs, 1);
    *out = d;
    return PEFT_OK;
}

peft_dataset *io_dataset_retain(peft_dataset *d)
{
    io_retain(&d->refs);
    return d;
}

void peft_dataset_free(peft_dataset *d)
{
    if (!d || !io_release(&d->refs)) return;
    peft_context *ctx = d->ctx;
    peft_dataset_free(d->opened);
    io_strings_clear(&d->class_names);
    io_strings_clear(&d->names);
    io_strings_clear(&d->mask_names);
    peft_sys_free(ctx, d->label);
    peft_sys_free(ctx, d->target);
    peft_sys_free(ctx, d->index);
    peft_sys_free(ctx, d->skipped);
    peft_sys_free(ctx, d->image_options);
    io_groups_free(ctx, d->groups);
    io_groups_free(ctx, d->cases);
    io_masks_free(d->masks);
    if (d->store && d->store->close && d->store_state) d->store->close(ctx, d->store_state);
    peft_sys_free(ctx, d);
    peft_context_free(ctx);
}

int64_t io_slice_of(const peft_dataset *d, int64_t i, int64_t *slices)
{
    const peft_dataset *opened = d->opened ? d->opened : d;
    int64_t ignored;
    if (!opened->store->slice) return -1;
    return opened->store->slice(opened, d->opened ? d->index[i] : i, slices ? slices : &ignored);
}

/* One block has all names, since a label of 1048575 in a file of a few bytes makes as many classes. */
peft_status io_number_classes(peft_dataset *d)
{
    enum { DIGITS = 20 };                                     /* of an int64_t, with the final 0 */
    io_strings *names = &d->class_names;
    char text[DIGITS];
    const size_t size = (size_t)snprintf(text, sizeof text, "%lld", (long long)d->classes) + 1;
    if (!d->classes) return PEFT_OK;
    names->item = io_alloc(d->ctx, d->classes, sizeof *names->item);
    names->block = io_alloc(d->ctx, d->classes, size);
    if (!names->item || !names->block) return io_nomem("names of classes");
    for (int64_t c = 0; c < d->classes; c++) {
        names->item[c] = names->block + (size_t)c * size;
        snprintf(names->item[c], size, "%lld", (long long)c);
    }
    names->count = names->capacity = d->classes;
    return PEFT_OK;
}

peft_status io_count_classes(const int64_t *label, int64_t count, const char *path, int64_t *classes)
{
    for (int64_t i = 0; i < count; i++) {
        if (label[i] < 0 || label[i] >= 1 << 20)
            return io_fail(PEFT_E_FORMAT, "%s: label %lld of sample %lld, expected 0..1048575", path,
                           (long long)label[i], (long long)i);
        if (label[i] >= *classes) *classes = label[i] + 1;
    }
    return PEFT_OK;
}

void io_warn_of_missing_classes(peft_context *ctx, const uint8_t *present, int64_t classes, const char *path)
{
    int64_t first = -1, missing = 0;                          /* the lowest such class; how many there are */
    for (int64_t c = classes - 1; c >= 0; c--)
        if (!present[c]) first = c, missing++;
    if (missing)
        io_warn(ctx, "%s: no sample has class %lld%s, but the set has it, because the largest label is %lld and "
                "classes are numbered from 0 without gaps", path, (long long)first, missing > 1 ? " (and others)" : "",
                (long long)classes - 1);
}

/* Whether d has a sample of this index; d may be NULL. */
static bool has_sample(const peft_dataset *d, int64_t i) { return d && i >= 0 && i < d->count; }

int64_t     peft_dataset_count(const peft_dataset *d) { return d ? d->count : 0; }
int64_t     peft_dataset_classes(const peft_dataset *d) { return d ? d->classes : 0; }
int         peft_dataset_multilabel(const peft_dataset *d) { return d && d->target; }

int64_t peft_dataset_label(const peft_dataset *d, int64_t i)
{
    return has_sample(d, i) && d->label ? d->label[i] : -1;
}

int64_t peft_dataset_id(const peft_dataset *d, int64_t i)
{
    return !has_sample(d, i) ? -1 : d->opened ? d->index[i] : i;
}

const char *peft_dataset_class_name(const peft_dataset *d, int64_t c)
{
    return d && c >= 0 && c < d->classes ? d->class_names.item[c] : NULL;
}

const char *peft_dataset_name(const peft_dataset *d, int64_t i)
{
    if (!has_sample(d, i)) return NULL;
    return d->opened ? d->opened->names.item[d->index[i]] : d->names.item[i];
}

const char *peft_dataset_skipped(const peft_dataset *d)
{
    const peft_dataset *opened = d && d->opened ? d->opened : d;
    return opened && opened->skipped ? opened->skipped : "";
}

peft_status peft_dataset_targets(const peft_dataset *d, int64_t i, float *out)
{
    if (!d || !out) return io_fail(PEFT_E_INVALID, "data set: %s is NULL", d ? "out" : "data set");
    if (!has_sample(d, i))
        return io_fail(PEFT_E_INVALID, "data set: sample %lld, expected 0 to %lld", (long long)i,
                       (long long)d->count - 1);
    for (int64_t c = 0; c < d->classes; c++)
        out[c] = d->target ? d->target[i * d->classes + c] : d->label[i] == c;
    return PEFT_OK;
}

peft_status peft_dataset_load(const peft_dataset *d, int64_t i, peft_image **out)
{
    if (!d || !out) return io_fail(PEFT_E_INVALID, "data set: %s is NULL", d ? "out" : "data set");
    if (!has_sample(d, i))
        return io_fail(PEFT_E_INVALID, "data set: sample %lld, expected 0 to %lld", (long long)i,
                       (long long)d->count - 1);
    const peft_dataset *opened = d->opened ? d->opened : d;
    return opened->store->read(opened, d->opened ? d->index[i] : i, d->image_options, out);
}
