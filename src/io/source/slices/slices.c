/* SPDX-License-Identifier: Apache-2.0
 * slices.c -- peft_dataset_with_slices: a data set of all slices of the samples of another one. Its store reads a slice
 * by the store of that set, with the option slice. */
#include "io/dataset/groups.h"
#include "io/dataset/masks/masks.h"
#include "io/format/formats.h"
#include "io/format/held/held.h"
#include <stdio.h>

enum { WHOLE = -1, MAX_SLICES = 1 << 20 };                    /* WHOLE: the sample is all of a file */

/* The state of the store. Sample i is slice[i] of the slices_in_file[i] slices of sample index[i] of `opened`. */
typedef struct slices { peft_dataset *opened; int64_t *index, *slice, *slices_in_file; io_held *held; } slices;

/* An io_held_read of an opened set. */
static peft_status read_bytes(const void *opened, int64_t i, int64_t limit, uint8_t **data, size_t *size)
{
    const peft_dataset *d = opened;
    return d->store->bytes(d, i, limit, data, size);
}

/* Reads a slice by the options, which choose it: from the file in memory, or by the store. */
static peft_status read_chosen(const peft_dataset *d, int64_t i, const char *options, peft_image **out)
{
    const slices *state = d->store_state;
    io_held_file *file = NULL;
    peft_status s = PEFT_OK;
    if (state->opened->store->bytes)
        s = io_held_take(state->held, read_bytes, state->opened, state->index[i], &file);
    if (s) return s;
    if (!file) return state->opened->store->read(state->opened, state->index[i], options, out);
    s = peft_image_load_memory(d->ctx, file->data, file->size, options, out);
    io_held_return(file);
    return s ? io_fail_in(s, d->names.item[i]) : PEFT_OK;
}

static peft_status read_slice(const peft_dataset *d, int64_t i, const char *options, peft_image **out)
{
    const slices *state = d->store_state;
    char option[40];
    if (state->slice[i] == WHOLE) return state->opened->store->read(state->opened, state->index[i], options, out);
    snprintf(option, sizeof option, "%sslice=%lld", options && *options ? "," : "", (long long)state->slice[i]);
    char *with_slice = io_join(d->ctx, options ? options : "", option);
    if (!with_slice) return io_nomem(d->names.item[i]);
    peft_status s = read_chosen(d, i, with_slice, out);
    peft_sys_free(d->ctx, with_slice);
    return s;
}

/* Size, identity and hash are those of the file. */
static peft_status locate(const peft_dataset *d, int64_t i, int64_t *size, uint64_t identity[2])
{
    const slices *state = d->store_state;
    identity[0] = (uint64_t)(uintptr_t)state->opened;
    identity[1] = (uint64_t)state->index[i];
    return state->opened->store->locate(state->opened, state->index[i], size, identity);
}

static peft_status hash(const peft_dataset *d, int64_t i, int64_t bytes, char hex[65])
{
    const slices *state = d->store_state;
    return state->opened->store->hash(state->opened, state->index[i], bytes, hex);
}

static int64_t slice_of(const peft_dataset *d, int64_t i, int64_t *slices_of_file)
{
    const slices *state = d->store_state;
    if (state->slice[i] == WHOLE) return io_slice_of(state->opened, state->index[i], slices_of_file);
    *slices_of_file = state->slices_in_file[i];
    return state->slice[i];
}

static void close_slices(peft_context *ctx, void *user)
{
    slices *state = user;
    io_held_free(state->held);
    peft_dataset_free(state->opened);
    peft_sys_free(ctx, state->index);
    peft_sys_free(ctx, state->slice);
    peft_sys_free(ctx, state->slices_in_file);
    peft_sys_free(ctx, state);
}

static const io_store of_slices = { .read = read_slice, .locate = locate, .hash = hash, .slice = slice_of,
                                    .close = close_slices };
static const io_store of_slices_in_memory = { .in_memory = true, .read = read_slice, .locate = locate, .hash = hash,
                                              .slice = slice_of, .close = close_slices };

/* Sets count[i] to the slices of sample i of d; 1 for a file that cannot be opened, whose loading tells why. */
static peft_status count_slices(const peft_dataset *d, int64_t *count, int64_t *all)
{
    const peft_dataset *opened = d->opened ? d->opened : d;
    *all = 0;
    for (int64_t i = 0; i < d->count; i++) {
        const int64_t id = peft_dataset_id(d, i);
        peft_status s = PEFT_OK;
        count[i] = 1;
        if (opened->store->slices) s = opened->store->slices(opened, id, d->image_options, &count[i]);
        if (s == PEFT_E_NOMEM) return s;
        if (s || count[i] > MAX_SLICES) count[i] = 1;
        *all += count[i];
    }
    return PEFT_OK;
}

/* What the slices of a file have in common with it. group and kase: their names, NULL: none. */
static peft_status add_slices(const peft_dataset *d, int64_t i, int64_t count, peft_dataset *out, const char **group,
                              const char **kase)
{
    slices *state = out->store_state;
    const char *name = peft_dataset_name(d, i);
    for (int64_t k = 0; k < count; k++) {
        char mark[40];
        const int64_t n = out->count;
        snprintf(mark, sizeof mark, "#slice=%lld", (long long)k);
        peft_status s = io_strings_add(&out->names, count > 1 ? io_join(d->ctx, name, mark) : io_copy(d->ctx, name));
        if (s) return s;
        state->index[n] = peft_dataset_id(d, i);
        state->slice[n] = count > 1 ? k : WHOLE;
        state->slices_in_file[n] = count;
        if (d->label) out->label[n] = d->label[i];
        else memcpy(out->target + n * d->classes, d->target + i * d->classes, (size_t)d->classes);
        group[n] = peft_dataset_group(d, i);
        kase[n] = peft_dataset_case(d, i);
        if (!kase[n] && count > 1) kase[n] = name;
        out->count++;
    }
    return PEFT_OK;
}

static bool any_name(const char *const *text, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (text[i]) return true;
    return false;
}

/* Fills out, which has the classes of d, with `all` slices. text [2 all]: scratch. */
static peft_status fill(const peft_dataset *d, const int64_t *count, int64_t all, const char **text, peft_dataset *out)
{
    slices *state = out->store_state;
    const char **group = text, **kase = text + all;
    const peft_dataset *opened = d->opened ? d->opened : d;
    state->index = io_alloc(d->ctx, all, sizeof *state->index);
    state->slice = io_alloc(d->ctx, all, sizeof *state->slice);
    state->slices_in_file = io_alloc(d->ctx, all, sizeof *state->slices_in_file);
    if (d->label) out->label = io_alloc(d->ctx, all, sizeof *out->label);
    else out->target = io_alloc(d->ctx, all * d->classes, 1);
    if (!state->index || !state->slice || !state->slices_in_file || (!out->label && !out->target))
        return io_nomem("slices");
    peft_status s = PEFT_OK;
    for (int64_t i = 0; i < d->count && !s; i++) s = add_slices(d, i, count[i], out, group, kase);
    if (!s && any_name(group, all)) s = io_groups_make(d->ctx, group, all, &out->groups);
    if (!s && any_name(kase, all)) s = io_groups_make(d->ctx, kase, all, &out->cases);
    if (!s && opened->mask_names.count)
        for (int64_t n = 0; n < all && !s; n++)
            s = io_strings_add(&out->mask_names, io_copy(d->ctx, opened->mask_names.item[state->index[n]]));
    if (!s && d->masks) s = io_masks_of_slices(d->masks, state->index, all, &out->masks);
    return s;
}

/* An empty set with the classes, options and what was skipped of d, whose store reads from the opened set of d. */
static peft_status begin(peft_dataset *d, peft_dataset **out)
{
    peft_status s = io_dataset_new(d->ctx, out);
    if (s) return s;
    peft_dataset *o = *out;
    slices *state = o->store_state = io_alloc(d->ctx, 1, sizeof *state);
    if (!state) return io_nomem("slices");
    state->opened = io_dataset_retain(d->opened ? d->opened : d);
    o->store = state->opened->store->in_memory ? &of_slices_in_memory : &of_slices;
    o->classes = d->classes;
    s = io_held_new(d->ctx, &state->held);
    if (!s) s = io_strings_copy(&o->class_names, &d->class_names, NULL);
    if (!s && !(o->skipped = io_copy(d->ctx, peft_dataset_skipped(d)))) s = io_nomem("slices");
    if (!s && d->image_options && !(o->image_options = io_copy(d->ctx, d->image_options))) s = io_nomem("slices");
    return s;
}

peft_status peft_dataset_with_slices(peft_dataset *d, peft_dataset **out)
{
    if (!d || !out) return io_fail(PEFT_E_INVALID, "slices: %s is NULL", d ? "out" : "data set");
    peft_dataset *made = NULL;
    const char **text = NULL;
    int64_t all, *count = NULL;
    peft_status s = io_image_check_no_slice(d->image_options);
    if (!s && !(count = io_alloc(d->ctx, d->count, sizeof *count))) s = io_nomem("slices");
    if (!s) s = count_slices(d, count, &all);
    if (!s && !(text = io_alloc(d->ctx, 2 * all, sizeof *text))) s = io_nomem("slices");
    if (!s) s = begin(d, &made);
    if (!s) s = fill(d, count, all, text, made);
    peft_sys_free(d->ctx, text);
    peft_sys_free(d->ctx, count);
    if (s) peft_dataset_free(made);
    else *out = made;
    return s;
}
