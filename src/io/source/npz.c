/* SPDX-License-Identifier: Apache-2.0
 * npz.c -- the source npz: a data set from a MedMNIST file, a zip of the arrays <split>_images and <split>_labels. The
 * store reads samples from the array of the opened split, which is held in memory. */
#include "io/archive/zip.h"
#include "io/format/array.h"
#include "io/source/source.h"
#include "io/source/tree/tree.h"
#include <peft/file.h>
#include <stdio.h>

static const char *const split_names[] = { "train", "val", "test" };
enum { SPLITS = 3, MAX_ENTRIES = 64, MAX_CLASSES = 1 << 20 };  /* MAX_CLASSES: io_count_classes accepts no more */

/* Reads the entry <split>_<content>.npy, content "images" or "labels"; PEFT_E_NOTFOUND: there is none. The caller frees
 * *data, which array->data points into. accepted: as for io_npy_parse. */
static peft_status read_array(peft_context *ctx, zip_t *z, const char *split, const char *content, unsigned accepted,
                              uint8_t **data, io_npy *array)
{
    char name[40];
    snprintf(name, sizeof name, "%s_%s.npy", split, content);
    zip_int64_t index = zip_name_locate(z, name, 0);
    if (index < 0) return io_fail(PEFT_E_NOTFOUND, "no array '%s'; expected the arrays of a MedMNIST file", name);
    size_t size;
    peft_status s = io_zip_read(ctx, z, index, data, &size);
    if (!s && (s = io_npy_parse(*data, size, accepted, array))) peft_sys_free(ctx, *data);
    return s ? io_fail_in(s, name) : PEFT_OK;
}

/* The state of the store: the images of the opened split. file: the memory that images.data points into. */
typedef struct split_images { io_array images; uint8_t *file; } split_images;

static const io_array *images_of(const peft_dataset *d)
{
    return &((const split_images *)d->store_state)->images;
}

static peft_status read_element(const peft_dataset *d, int64_t i, const char *options, peft_image **out)
{
    (void)options;
    return io_array_read(d->ctx, images_of(d), i, out);
}

/* All elements have one size; identity stays what the caller has set. */
static peft_status locate(const peft_dataset *d, int64_t i, int64_t *size, uint64_t identity[2])
{
    (void)i, (void)identity;
    *size = (int64_t)io_array_image_bytes(images_of(d));
    return PEFT_OK;
}

static peft_status hash(const peft_dataset *d, int64_t i, int64_t bytes, char hex[65])
{
    const io_array *a = images_of(d);
    peft_sha256(a->data + (size_t)i * io_array_image_bytes(a), (size_t)bytes, hex);
    return PEFT_OK;
}

static void close_images(peft_context *ctx, void *state)
{
    peft_sys_free(ctx, ((split_images *)state)->file);
    peft_sys_free(ctx, state);
}

static const io_store array_elements = {
    .in_memory = true, .read = read_element, .locate = locate, .hash = hash, .close = close_images };

/* Makes the array of the split's images the state of d's store. */
static peft_status read_images(zip_t *z, const char *split, peft_dataset *d)
{
    io_npy a;
    uint8_t *file;
    peft_status s = read_array(d->ctx, z, split, "images", IO_NPY_INTEGERS | IO_NPY_F32, &file, &a);
    if (s) return s;
    split_images *state = d->store_state = io_alloc(d->ctx, 1, sizeof *state);
    if (!state) {
        peft_sys_free(d->ctx, file);
        return io_nomem("images");
    }
    d->store = &array_elements;
    state->file = file;
    if ((s = io_array_from_npy(&a, IO_MANY_IMAGES, &state->images))) {
        char name[40];
        snprintf(name, sizeof name, "%s_images", split);
        return io_fail_in(s, name);
    }
    d->count = state->images.count;
    return PEFT_OK;
}

/* Reads the labels of a split, an array [n], [n,1] or [n,C], as int64_t *label [count, width], width 1 for [n]. The
 * caller frees *label. */
static peft_status read_labels(peft_context *ctx, zip_t *z, const char *split, int64_t **label, int64_t *count,
                               int64_t *width)
{
    io_npy a;
    uint8_t *file;
    peft_status s = read_array(ctx, z, split, "labels", IO_NPY_INTEGERS, &file, &a);
    if (s) return s;
    int64_t *v = io_alloc(ctx, a.count, sizeof *v);
    if (!v) s = io_nomem("labels");
    if (!s && (a.ndim > 2 || (a.ndim == 2 && a.dim[1] < 1)))
        s = io_fail(PEFT_E_UNSUPPORTED, "%s_labels: an array of %d extents; expected [n], [n,1] or [n,C]", split,
                    a.ndim);
    for (int64_t i = 0; i < a.count && !s; i++)
        if (!io_npy_int(&a, i, &v[i]))
            s = io_fail(PEFT_E_FORMAT, "%s_labels: number %lld of the array is above 2^63 - 1", split, (long long)i);
    peft_sys_free(ctx, file);
    if (s) {
        peft_sys_free(ctx, v);
        return s;
    }
    *label = v;
    *count = a.dim[0];
    *width = a.ndim == 2 ? a.dim[1] : 1;
    return PEFT_OK;
}

/* Makes d->target of v [count, width], which must be 0 and 1. */
static peft_status set_targets(peft_dataset *d, const int64_t *v, int64_t width, const char *split)
{
    d->classes = width;
    if (!(d->target = io_alloc(d->ctx, d->count * width, 1))) return io_nomem("labels");
    for (int64_t i = 0; i < d->count * width; i++) {
        if (v[i] != 0 && v[i] != 1)
            return io_fail(PEFT_E_FORMAT, "%s_labels: several columns, with other numbers than 0 and 1; expected a 0/1 "
                           "target for each class", split);
        d->target[i] = (int8_t)v[i];
    }
    return PEFT_OK;
}

/* Whose labels are read: those of the split that the caller opens become d's labels or targets, those of another split
 * only raise the number of classes. */
typedef enum split_role { OPENED_SPLIT, OTHER_SPLIT } split_role;

/* Reads the labels of a split. Sets present[c] to 1 for each class c that occurs. */
static peft_status use_labels(zip_t *z, const char *split, split_role role, uint8_t *present, peft_dataset *d)
{
    const bool opened = role == OPENED_SPLIT;
    int64_t *v, count, width;
    peft_status s = read_labels(d->ctx, z, split, &v, &count, &width);
    if (s) return s;
    if (opened && count != d->count)
        s = io_fail(PEFT_E_SHAPE, "%s: %lld labels for %lld images", split, (long long)count, (long long)d->count);
    else if (width > 1)
        s = opened ? set_targets(d, v, width, split) : PEFT_OK;
    else
        s = io_count_classes(v, count, split, &d->classes);
    for (int64_t i = 0; i < count && !s && width == 1; i++) present[v[i]] = 1;
    if (!s && opened && width == 1) d->label = v;
    else peft_sys_free(d->ctx, v);
    return s;
}

/* Names samples "train/0", "train/1", and so on. */
static peft_status name_samples(peft_dataset *d, const char *split)
{
    peft_status s = PEFT_OK;
    for (int64_t i = 0; i < d->count && !s; i++) {
        char text[40];
        snprintf(text, sizeof text, "%s/%lld", split, (long long)i);
        s = io_strings_add(&d->names, io_copy(d->ctx, text));
    }
    return s;
}

/* Reads the labels of the opened split and, for single labels, of the others: a data set has the classes that occur in
 * any split. path: of the file, for the warning. */
static peft_status read_all_labels(zip_t *z, const char *path, const char *split, uint8_t *present, peft_dataset *d)
{
    peft_status s = use_labels(z, split, OPENED_SPLIT, present, d);
    for (int i = 0; i < SPLITS && !s && d->label; i++) {
        if (!strcmp(split, split_names[i])) continue;
        s = use_labels(z, split_names[i], OTHER_SPLIT, present, d);
        if (s == PEFT_E_NOTFOUND) s = PEFT_OK;                /* a file need not have all splits */
    }
    if (!s && d->label) io_warn_of_missing_classes(d->ctx, present, d->classes, path);
    return s;
}

/* Fills d from the arrays of the split. */
static peft_status fill(zip_t *z, const char *path, const char *split, peft_dataset *d)
{
    if (zip_get_num_entries(z, 0) > MAX_ENTRIES)
        return io_fail(PEFT_E_UNSUPPORTED, "%lld entries, the limit is %d", (long long)zip_get_num_entries(z, 0),
                       MAX_ENTRIES);
    peft_status s = read_images(z, split, d);
    uint8_t *present = io_alloc(d->ctx, MAX_CLASSES, 1);
    if (!s) s = present ? read_all_labels(z, path, split, present, d) : io_nomem("labels");
    peft_sys_free(d->ctx, present);
    if (!s) s = io_number_classes(d);
    return s ? s : name_samples(d, split);
}

static peft_status open_npz(const io_open_arguments *a, peft_dataset *d)
{
    zip_t *z;
    if (!a->split)
        return io_fail(PEFT_E_INVALID, "data set: split is NULL; an .npz is opened by its splits: train, val or test");
    peft_status s = io_check_split(a->split);
    if (!s) s = io_zip_open(d->ctx, a->path, &z);
    if (s) return s;
    s = fill(z, a->path, io_split_of(a->split), d);
    zip_discard(z);
    return s ? io_fail_in(s, a->path) : PEFT_OK;
}

static bool probe(const char *path) { return io_ends_in(path, ".npz"); }

const io_source io_source_npz = { .name = "MedMNIST's .npz", .probe = probe, .open = open_npz };

peft_status peft_dataset_open_npz(peft_context *ctx, const char *path, const char *split, peft_dataset **out)
{
    return io_source_open(&io_source_npz, &(io_open_arguments){ .ctx = ctx, .path = path, .split = split }, out);
}
