/* SPDX-License-Identifier: Apache-2.0
 * attach.c -- peft_dataset_with_masks: the masks of a data set's samples, without the samples that are masks themselves
 * and, by the option missing, those that have none. */
#include "io/dataset/masks/masks.h"
#include <stdio.h>
#include <sys/stat.h>

/* What is known of a data set to which masks are attached. */
typedef struct attach {
    peft_dataset *data;
    const char *path;                                         /* NULL: beside the images */
    io_masks *masks;
    io_mask_found found;
    int64_t *kept, count;                                     /* the samples of the result */
} attach;

/* The device and inode of a file. */
typedef struct identity { uint64_t device, inode; } identity;

static int by_identity(const void *a, const void *b)
{
    const identity *x = a, *y = b;
    if (x->device != y->device) return x->device < y->device ? -1 : 1;
    return x->inode < y->inode ? -1 : x->inode > y->inode;
}

static bool identify(const char *path, identity *out)
{
    struct stat st;
    if (stat(path, &st)) return false;
    *out = (identity){ (uint64_t)st.st_dev, (uint64_t)st.st_ino };
    return true;
}

/* Fills kept with the samples that are not masks of others. With one file for all samples none is. */
static peft_status leave_out_masks(attach *a)
{
    const io_masks *m = a->masks;
    const peft_dataset *d = a->data;
    int64_t files = 0;
    identity *mask = io_alloc(d->ctx, a->found.entries, sizeof *mask), own;
    if (!mask) return io_nomem("masks");
    const int64_t *file = a->found.file;
    for (int64_t k = 0; k < a->found.entries; k++)
        if (!k || file[k] != file[k - 1]) files += identify(m->files.item[file[k]], &mask[files]);
    if (files) qsort(mask, (size_t)files, sizeof *mask, by_identity);
    peft_status s = PEFT_OK;
    for (int64_t i = 0; i < d->count && !s; i++) {
        char *path = io_masks_image_path(d, i);
        if (!path) s = io_nomem("masks");
        else if (!identify(path, &own) || !files || !bsearch(&own, mask, (size_t)files, sizeof own, by_identity))
            a->kept[a->count++] = i;
        peft_sys_free(d->ctx, path);
    }
    peft_sys_free(d->ctx, mask);
    if (s) return s;
    if (a->count < d->count)
        io_inform(d->ctx, "masks: %lld of %lld samples are masks of others, and are left out",
                  (long long)(d->count - a->count), (long long)d->count);
    if (a->count) return PEFT_OK;
    return io_fail(PEFT_E_FORMAT, "masks: every sample is a mask, of another one or of itself; expected masks in "
                   "another folder, or with names that differ from those of the images by suffix");
}

/* The error for a sample without a mask: where it was looked for. */
static peft_status no_mask(const attach *a, int64_t i, int64_t missing)
{
    const io_mask_options *o = &a->masks->options;
    const char *name = peft_dataset_name(a->data, i), *slash = strrchr(name, '/');
    const char *classes = o->per_class == IO_PER_CLASS_FOLDER ? "CLASS/" : "";
    const char *class_suffix = o->per_class == IO_PER_CLASS_SUFFIX ? "_CLASS" : "";
    char others[60] = "";
    if (missing > 1)
        snprintf(others, sizeof others, " (and %lld other sample%s)", (long long)missing - 1, missing > 2 ? "s" : "");
    if (!a->path && (a->data->opened ? a->data->opened : a->data)->mask_names.count)
        return io_fail(PEFT_E_NOTFOUND, "masks: %s has no mask%s; its cell in the table's column of masks is empty. "
                       "missing=skip leaves such samples out, missing=empty takes them as background", name, others);
    if (!a->path)
        return io_fail(PEFT_E_NOTFOUND, "masks: %s has no mask%s; looked in its folder for its name with '%s%s' before "
                       "the ending. missing=skip leaves such samples out, missing=empty takes them as background", name,
                       others, o->suffix, class_suffix);
    const char *file = slash ? slash + 1 : name;
    return io_fail(PEFT_E_NOTFOUND, "masks: %s has no mask%s; looked in %s for %s%s with '%s%s' before any ending, and "
                   "for the same in folders below it with the names of the image's folders. missing=skip leaves such "
                   "samples out, missing=empty takes them as background", name, others, a->path, classes, file,
                   o->suffix, class_suffix);
}

/* Samples without a mask: an error, left out, or background. */
static peft_status judge_missing(attach *a)
{
    const int64_t *first = a->found.first;
    int64_t with = 0, missing = 0, example = -1;
    for (int64_t k = 0; k < a->count; k++) {
        const int64_t i = a->kept[k];
        if (first[i + 1] > first[i]) continue;
        if (!missing++) example = i;
    }
    if (!missing) return PEFT_OK;
    const bool skip = a->masks->options.missing == IO_MASK_SKIP;
    if (a->masks->options.missing == IO_MASK_ERROR || (skip && missing == a->count))
        return no_mask(a, example, missing);
    io_warn(a->data->ctx, "masks: %lld of %lld samples have no mask, such as %s; they %s", (long long)missing,
            (long long)a->count, peft_dataset_name(a->data, example),
            skip ? "are left out (missing=skip)" : "count as background (missing=empty)");
    for (int64_t k = 0; k < a->count; k++) {
        const int64_t i = a->kept[k];
        if (!skip || first[i + 1] > first[i]) a->kept[with++] = i;
    }
    a->count = with;
    return PEFT_OK;
}

/* Fills the tables of the masks, which are those of the opened set's samples. */
static peft_status fill(attach *a)
{
    const peft_dataset *d = a->data;
    io_masks *m = a->masks;
    const io_mask_found *f = &a->found;
    m->count = (d->opened ? d->opened : d)->count;
    m->first = io_alloc(d->ctx, m->count + 1, sizeof *m->first);
    m->file = io_alloc(d->ctx, f->entries, sizeof *m->file);
    m->of_class = io_alloc(d->ctx, f->entries, sizeof *m->of_class);
    if (!m->first || !m->file || !m->of_class) return io_nomem("masks");
    for (int64_t i = 0; i < d->count; i++) m->first[io_masks_sample(d, i) + 1] = f->first[i + 1] - f->first[i];
    for (int64_t k = 0; k < m->count; k++) m->first[k + 1] += m->first[k];
    for (int64_t i = 0; i < d->count; i++) {
        const int64_t n = f->first[i + 1] - f->first[i], to = m->first[io_masks_sample(d, i)];
        if (!n) continue;                                      /* f->file is NULL if no sample has a mask */
        memcpy(m->file + to, f->file + f->first[i], (size_t)n * sizeof *m->file);
        memcpy(m->of_class + to, f->of_class + f->first[i], (size_t)n * sizeof *m->of_class);
    }
    return PEFT_OK;
}

static peft_status run(attach *a, const char *options, peft_dataset **out)
{
    peft_dataset *d = a->data, *part;
    peft_status s = io_masks_new(d->ctx, &a->masks);
    if (!s) s = io_masks_read_options(options, a->masks);
    if (!s && !(a->kept = io_alloc(d->ctx, d->count, sizeof *a->kept))) s = io_nomem("masks");
    if (!s) s = io_masks_find(d, a->path, a->masks, &a->found);
    if (!s) s = leave_out_masks(a);
    if (!s) s = judge_missing(a);
    if (!s) s = fill(a);
    if (!s) s = io_dataset_part(d, &(io_selection){ .count = a->count, .indices = a->kept }, &part);
    if (s) return s;
    io_masks_free(part->masks);
    part->masks = io_masks_retain(a->masks);
    *out = part;
    return PEFT_OK;
}

peft_status peft_dataset_with_masks(peft_dataset *d, const char *path, const char *options, peft_dataset **out)
{
    if (!d || !out) return io_fail(PEFT_E_INVALID, "masks: %s is NULL", d ? "out" : "data set");
    if (path && !*path)
        return io_fail(PEFT_E_INVALID, "masks: the path is empty; expected a folder or a file, or NULL");
    attach a = { .data = d, .path = path };
    const peft_status s = run(&a, options, out);
    peft_sys_free(d->ctx, a.found.first);
    peft_sys_free(d->ctx, a.found.file);
    peft_sys_free(d->ctx, a.found.of_class);
    peft_sys_free(d->ctx, a.kept);
    io_masks_free(a.masks);
    return s;
}
