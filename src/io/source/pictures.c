/* SPDX-License-Identifier: Apache-2.0
 * pictures.c -- the source pictures: data sets without labels, for predicting. A folder or zip of pictures at any
 * depth, a list of their names, or a single picture. All samples have the class 0, "unlabelled". */
#include "io/format/formats.h"
#include "io/entries.h"
#include "io/source/list/list.h"
#include "io/source/source.h"
#include "io/source/tree/tree.h"
#include "io/source/zip/zip_store.h"
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

extern const io_source io_source_table;
enum { MAX_DEPTH = 64, MAX_LIST_BYTES = 256 << 20, HEAD_BYTES = 4096 };

/* A picture that was found. name: of the sample; member: of a zip. */
typedef struct found { char *name; int64_t member; } found;
typedef struct search {
    peft_dataset *d;
    const char *path;                                         /* of the data set */
    found *item;
    int64_t count, capacity;
    io_strings skipped;                                       /* endings of files that are no pictures */
    io_strings unknown;                                       /* paths of files without ending that are no DICOM files */
    bool unnamed;                                             /* a DICOM file without ending was found */
    int depth;                                                /* of the folder that is being read; 0: the root */
    struct stat around[MAX_DEPTH + 1];                        /* [depth + 1]: this folder and those around it */
} search;

/* Takes ownership of the name; NULL: no memory. */
static peft_status add_found(search *f, char *name, int64_t member)
{
    if (name && f->count == f->capacity) {
        const int64_t capacity = f->capacity ? 2 * f->capacity : 64;
        found *item = peft_sys_realloc(f->d->ctx, f->item, (size_t)capacity * sizeof *item);
        if (item) f->item = item, f->capacity = capacity;
    }
    if (!name || f->count == f->capacity) {
        peft_sys_free(f->d->ctx, name);
        return io_nomem(f->path);
    }
    f->item[f->count++] = (found){ name, member };
    return PEFT_OK;
}

static peft_status skip(search *f, const char *name) { return io_strings_add(&f->skipped, io_ending(f->d->ctx, name)); }

static peft_status add_entry(void *user, const char *path, const char *name, bool is_folder);

/* Searches a folder in the one that is being read. */
static peft_status enter_folder(search *f, const char *path)
{
    struct stat st;
    if (stat(path, &st)) return io_fail(PEFT_E_IO, "%s: %s", path, strerror(errno));
    for (int i = 0; i <= f->depth; i++)
        if (st.st_dev == f->around[i].st_dev && st.st_ino == f->around[i].st_ino)
            return io_fail(PEFT_E_UNSUPPORTED, "%s: is a link to a folder around it, so that its pictures would be read "
                           "again and again; remove the link", path);
    if (f->depth == MAX_DEPTH)
        return io_fail(PEFT_E_UNSUPPORTED, "%s: more than %d folders in one another", path, MAX_DEPTH);
    f->around[++f->depth] = st;
    peft_status s = io_each_entry(f->d->ctx, path, add_entry, f);
    f->depth--;
    return s;
}

static peft_status add_entry(void *user, const char *path, const char *name, bool is_folder)
{
    search *f = user;
    if (!is_folder && io_is_image_name(name)) return add_found(f, io_copy(f->d->ctx, path), 0);
    if (!is_folder && io_is_unnamed_image(f->d->ctx, path)) {
        f->unnamed = true;
        return add_found(f, io_copy(f->d->ctx, path), 0);
    }
    if (!is_folder && !strchr(name, '.') && strcmp(name, "DICOMDIR"))
        return io_strings_add(&f->unknown, io_copy(f->d->ctx, path));
    if (!is_folder) return skip(f, name);
    return enter_folder(f, path);
}

/* The last part of a path; NULL: the path ends in a slash, or one of its parts is hidden, or macOS added the entry. */
static const char *visible_name(const char *path)
{
    const char *name = path;
    if (!strncmp(path, "__MACOSX/", 9)) return NULL;
    for (const char *slash; (slash = strchr(name, '/')); name = slash + 1)
        if (*name == '.' && slash - name > 1) return NULL;    /* "./a.png" is a name like any other */
    return *name && *name != '.' ? name : NULL;
}

static peft_status add_member(void *user, char *path, bool guessed, int64_t member)
{
    search *f = user;
    peft_context *ctx = f->d->ctx;
    const char *name = visible_name(path);
    peft_status s = PEFT_OK;
    (void)guessed;                                            /* the name only identifies the sample */
    if (name && !io_is_image_name(name)) s = skip(f, name);
    else if (name) {
        char *folder = io_join(ctx, f->path, "/");
        s = folder ? add_found(f, io_join(ctx, folder, path), member) : io_nomem(f->path);
        peft_sys_free(ctx, folder);
    }
    peft_sys_free(ctx, path);
    return s;
}

/* Beside DICOM files without ending, other files without one are broken files of the same kind: they become samples, so
 * that predicting them fails with their names. Without such neighbours they are skipped. */
static peft_status settle_unknown(search *f)
{
    peft_status s = PEFT_OK;
    for (int64_t i = 0; i < f->unknown.count && !s; i++)
        s = f->unnamed ? add_found(f, io_copy(f->d->ctx, f->unknown.item[i]), 0) : skip(f, f->unknown.item[i]);
    return s;
}

static int by_name(const void *a, const void *b)
{
    const found *x = a, *y = b;
    const int order = strcmp(x->name, y->name);
    return order ? order : x->member < y->member ? -1 : x->member > y->member;
}

/* Moves what was found to the data set, sorted by name or in the order of a list. member: where the zip entries go;
 * NULL: samples are files. */
static peft_status keep_found(search *f, bool sorted, int64_t **member)
{
    peft_dataset *d = f->d;
    if (!f->count) return PEFT_OK;
    if (sorted) qsort(f->item, (size_t)f->count, sizeof *f->item, by_name);
    if (member && !(*member = io_alloc(d->ctx, f->count, sizeof **member))) return io_nomem(f->path);
    for (int64_t i = 0; i < f->count; i++) {
        char *name = f->item[i].name;
        f->item[i].name = NULL;                               /* io_strings_add owns it from here on */
        peft_status s = io_strings_add(&d->names, name);
        if (s) return s;
        if (member) (*member)[i] = f->item[i].member;
    }
    if (!(d->label = io_alloc(d->ctx, f->count, sizeof *d->label))) return io_nomem(f->path);
    d->count = f->count;
    d->classes = 1;
    return io_strings_add(&d->class_names, io_copy(d->ctx, "unlabelled"));
}

static peft_status search_zip(search *f)
{
    peft_status s = io_zip_store_open(f->path, f->d);
    if (s) return s;
    io_zip_members *m = f->d->store_state;
    s = io_zip_each_member(m, add_member, f);
    if (s) return io_fail_in(s, f->path);
    s = keep_found(f, true, &m->index);
    for (int64_t i = 1; i < f->d->count && !s; i++)
        if (!strcmp(f->d->names.item[i - 1], f->d->names.item[i]))
            s = io_fail(PEFT_E_FORMAT, "%s: the archive has two entries of this name; pack it again",
                        f->d->names.item[i]);
    return s ? s : io_zip_check_samples(f->d);
}

/* Adds the name of a line, below the folder of the list unless it is absolute. A text whose first line names no file is
 * no list. */
static peft_status add_line(search *f, const list_line *l, const char *folder)
{
    peft_context *ctx = f->d->ctx;
    struct stat st;
    char *name = list_name(ctx, l);
    char *path = name ? io_join(ctx, *name == '/' ? "" : folder, name) : NULL;
    peft_sys_free(ctx, name);
    if (path && !f->count && stat(path, &st)) {
        peft_status s = io_fail(PEFT_E_FORMAT, "%s: neither a picture nor a list of pictures: there is no file '%s', "
                                "which its line %lld would name", f->path, path, (long long)l->number);
        peft_sys_free(ctx, path);
        return s;
    }
    return add_found(f, path, 0);
}

static peft_status read_list(search *f, const char *text)
{
    peft_context *ctx = f->d->ctx;
    char *folder = io_folder_of(ctx, f->path);
    list_line l = { .next = text, .numbers_optional = true };
    peft_status s = folder ? PEFT_OK : io_nomem(f->path);
    for (list_result result; !s && (result = list_next(&l)) != LIST_END;)
        s = result == LIST_LINE ? add_line(f, &l, folder)
                                : io_fail(PEFT_E_FORMAT, "%s: line %lld: %s", f->path, (long long)l.number, l.problem);
    peft_sys_free(ctx, folder);
    return s ? s : keep_found(f, false, NULL);
}

static peft_status search_file(search *f)
{
    uint8_t *data;
    size_t size;
    peft_context *ctx = f->d->ctx;
    peft_status s = io_read_head(ctx, f->path, HEAD_BYTES, &data, &size);
    if (s) return s;
    const bool picture = io_format_of(data, size) || io_is_image_name(f->path);
    const bool text = !memchr(data, 0, size);
    if (!picture && !text) s = io_fail_in(io_no_format(data, size), f->path);
    peft_sys_free(ctx, data);
    if (s) return s;
    if (picture) {
        s = add_found(f, io_copy(ctx, f->path), 0);
        return s ? s : keep_found(f, false, NULL);
    }
    s = io_read_file(ctx, f->path, MAX_LIST_BYTES, &data, &size);
    if (s) return s;
    if (memchr(data, 0, size)) s = io_fail_in(io_no_format(data, size), f->path);
    const size_t mark = size >= 3 && !memcmp(data, "\xef\xbb\xbf", 3) ? 3 : 0;      /* byte order mark */
    if (!s) s = read_list(f, (const char *)data + mark);
    peft_sys_free(ctx, data);
    return s;
}

/* A table's labels are not read. */
static peft_status open_table(const io_open_arguments *a, peft_dataset *d)
{
    io_open_arguments without_labels = *a;
    without_labels.options = "labels=none";
    return io_source_table.open(&without_labels, d);
}

static peft_status open_pictures(const io_open_arguments *a, peft_dataset *d)
{
    search f = { .d = d, .path = a->path, .skipped = { .ctx = d->ctx }, .unknown = { .ctx = d->ctx } };
    struct stat st;
    peft_status s;
    if (!io_ends_in(a->path, ".zip") && io_source_table.probe(a->path)) return open_table(a, d);
    d->store = &io_files;
    if (!stat(a->path, &st) && S_ISDIR(st.st_mode)) {
        f.around[0] = st;
        s = io_each_entry(d->ctx, a->path, add_entry, &f);
        if (!s) s = settle_unknown(&f);
        if (!s) s = keep_found(&f, true, NULL);
    } else s = io_ends_in(a->path, ".zip") ? search_zip(&f) : search_file(&f);
    if (!s) s = io_count_endings(&f.skipped, &d->skipped);
    if (!s && !d->count)
        s = io_fail(PEFT_E_FORMAT, "%s: no pictures%s%s", a->path, *d->skipped ? ", but " : "", d->skipped);
    for (int64_t i = 0; i < f.count; i++) peft_sys_free(d->ctx, f.item[i].name);
    peft_sys_free(d->ctx, f.item);
    io_strings_clear(&f.skipped);
    io_strings_clear(&f.unknown);
    return s;
}

peft_status peft_dataset_open_pictures(peft_context *ctx, const char *path, peft_dataset **out)
{
    static const io_source pictures = { .name = "pictures without labels", .open = open_pictures };
    return io_source_open(&pictures, &(io_open_arguments){ .ctx = ctx, .path = path }, out);
}
