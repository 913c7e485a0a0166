/* SPDX-License-Identifier: Apache-2.0
 * npz.c -- data sets from a MedMNIST file: a zip of arrays, <split>_images and <split>_labels. */
#include "io/archive/zip.h"
#include "io/format/array.h"
#include "io/source/source.h"
#include "io/source/tree.h"
#include <peft/file.h>
#include <stdio.h>

static const char *const split_names[] = { "train", "val", "test" };
enum { SPLITS = 3, MOST_ENTRIES = 64, MOST_CLASSES = 1 << 20 };

/* Reads the entry <split>_<what>.npy; PEFT_E_NOTFOUND where there is none. The caller frees *data. */
static peft_status read_array(peft_context *ctx, zip_t *z, const char *split, const char *what, unsigned kinds,
                              uint8_t **data, io_npy *array)
{
    char name[40];
    snprintf(name, sizeof name, "%s_%s.npy", split, what);
    zip_int64_t index = zip_name_locate(z, name, 0);
    if (index < 0) return io_fail(PEFT_E_NOTFOUND, "no array '%s'", name);
    size_t size;
    peft_status s = io_zip_read(ctx, z, index, data, &size);
    if (!s && (s = io_npy_parse(*data, size, kinds, array))) peft_sys_free(ctx, *data);
    return s ? io_fail_in(s, name) : PEFT_OK;
}

/* The store's state: the images of the split, and file, the memory that array.data points into. */
typedef struct stack { io_array array; uint8_t *file; } stack;

static peft_status read_element(const peft_dataset *d, int64_t i, const char *options, peft_image **out)
{
    (void)options;
    return io_array_read(d->ctx, &((const stack *)d->held)->array, i, out);
}

static peft_status locate(const peft_dataset *d, int64_t i, int64_t *size, uint64_t place[2])
{
    (void)i, (void)place;
    *size = (int64_t)io_array_bytes(&((const stack *)d->held)->array);
    return PEFT_OK;
}

static peft_status hash(const peft_dataset *d, int64_t i, int64_t bytes, char hex[65])
{
    const io_array *a = &((const stack *)d->held)->array;
    peft_sha256(a->data + (size_t)i * io_array_bytes(a), (size_t)bytes, hex);
    return PEFT_OK;
}

static void close_stack(peft_context *ctx, void *held)
{
    peft_sys_free(ctx, ((stack *)held)->file);
    peft_sys_free(ctx, held);
}

static const io_store array_elements = {
    .arrays = true, .read = read_element, .locate = locate, .hash = hash, .close = close_stack };

static peft_status read_images(zip_t *z, const char *split, peft_dataset *d)
{
    io_npy a;
    uint8_t *file;
    peft_status s = read_array(d->ctx, z, split, "images", IO_NPY_INTEGERS | IO_NPY_F32, &file, &a);
    if (s) return s;
    stack *images = d->held = io_alloc(d->ctx, 1, sizeof *images);
    if (!images) {
        peft_sys_free(d->ctx, file);
        return io_nomem("images");
    }
    d->store = &array_elements;
    images->file = file;
    if ((s = io_array_of(&a, true, &images->array))) {
        char name[40];
        snprintf(name, sizeof name, "%s_images", split);
        return io_fail_in(s, name);
    }
    d->count = images->array.count;
    return PEFT_OK;
}

/* The numbers of a [n], [n,1] (*width 1) or [n,C] array as int64 *label [count, width], in memory of ctx. */
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
        s = io_fail(PEFT_E_UNSUPPORTED, "%s_labels: expected [n], [n,1] or [n,C]", split);
    for (int64_t i = 0; i < a.count && !s; i++)
        if (!io_npy_int(&a, i, &v[i])) s = io_fail(PEFT_E_FORMAT, "%s_labels: a label is out of range", split);
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

static peft_status take_targets(peft_dataset *d, const int64_t *v, int64_t width, const char *split)
{
    d->classes = width;
    if (!(d->target = io_alloc(d->ctx, d->count * width, 1))) return io_nomem("labels");
    for (int64_t i = 0; i < d->count * width; i++) {
        if (v[i] != 0 && v[i] != 1)
            return io_fail(PEFT_E_FORMAT, "%s_labels: several columns, which hold other numbers than 0 and 1; "
                           "expected a 0/1 target for each class", split);
        d->target[i] = (uint8_t)v[i];
    }
    return PEFT_OK;
}

/* Reads the labels of a split. own: those of the opened split become d's labels or targets; those of the others only
 * raise the number of classes. seen[c] becomes 1 for each class c that occurs. */
static peft_status use_labels(zip_t *z, const char *split, bool own, uint8_t *seen, peft_dataset *d)
{
    int64_t *v, count, width;
    peft_status s = read_labels(d->ctx, z, split, &v, &count, &width);
    if (s) return s;
    if (own && count != d->count)
        s = io_fail(PEFT_E_SHAPE, "%s: %lld labels for %lld images", split, (long long)count, (long long)d->count);
    else if (width > 1)
        s = own ? take_targets(d, v, width, split) : PEFT_OK;
    else
        s = io_count_classes(v, count, split, &d->classes);
    for (int64_t i = 0; i < count && !s && width == 1; i++) seen[v[i]] = 1;
    if (!s && own && width == 1) d->label = v;
    else peft_sys_free(d->ctx, v);
    return s;
}

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

static peft_status read_splits(zip_t *z, const char *path, const char *split, uint8_t *seen, peft_dataset *d)
{
    peft_status s = use_labels(z, split, true, seen, d);
    for (int i = 0; i < SPLITS && !s && d->label; i++) {
        if (!strcmp(split, split_names[i])) continue;
        s = use_labels(z, split_names[i], false, seen, d);
        if (s == PEFT_E_NOTFOUND) s = PEFT_OK;
    }
    if (!s && d->label) io_warn_of_gaps(d->ctx, seen, d->classes, path);
    return s;
}

static peft_status fill(zip_t *z, const char *path, const char *split, peft_dataset *d)
{
    if (zip_get_num_entries(z, 0) > MOST_ENTRIES)
        return io_fail(PEFT_E_UNSUPPORTED, "%lld entries, the limit is %d", (long long)zip_get_num_entries(z, 0),
                       MOST_ENTRIES);
    peft_status s = read_images(z, split, d);
    uint8_t *seen = io_alloc(d->ctx, MOST_CLASSES, 1);
    if (!s) s = seen ? read_splits(z, path, split, seen, d) : io_nomem("labels");
    peft_sys_free(d->ctx, seen);
    if (!s) s = io_number_classes(d);
    return s ? s : name_samples(d, split);
}

static peft_status open_npz(const io_place *at, peft_dataset *d)
{
    zip_t *z;
    if (!at->split)
        return io_fail(PEFT_E_INVALID, "data set: split is NULL; a .npz is opened by its splits: train, val or test");
    peft_status s = io_check_split(at->split);
    if (!s) s = io_zip_open(d->ctx, at->path, &z);
    if (s) return s;
    s = fill(z, at->path, io_split_of(at->split), d);
    zip_discard(z);
    return s ? io_fail_in(s, at->path) : PEFT_OK;
}

static bool probe(const char *path) { return io_ends_in(path, ".npz"); }

const io_source io_source_npz = { .name = "MedMNIST's .npz", .probe = probe, .open = open_npz };

peft_status peft_dataset_open_npz(peft_context *ctx, const char *path, const char *split, peft_dataset **out)
{
    return io_source_open(&io_source_npz, &(io_place){ .ctx = ctx, .path = path, .split = split }, out);
}
