/* SPDX-License-Identifier: Apache-2.0
 * pictures.c -- the source pictures: data sets without labels, for predicting. A folder or zip of pictures at any
 * depth, the DICOMDIR of a medium, a list of names, or a single picture. All samples have the class 0, "unlabelled". */
#include "io/entries.h"
#include "io/format/dicom/directory.h"
#include "io/format/formats.h"
#include "io/source/list/list.h"
#include "io/source/pictures/found.h"
#include "io/source/source.h"
#include "io/source/tree/tree.h"
#include "io/source/zip/zip_store.h"
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

extern const io_source io_source_table;
enum { MAX_DEPTH = 64, MAX_LIST_BYTES = 256 << 20, HEAD_BYTES = 4096 };

typedef struct search {
    peft_dataset *d;
    const char *path;                                         /* of the data set */
    found_list pictures;
    found_list unknown;                                       /* files without ending that are no DICOM files */
    io_strings skipped;                                       /* endings of files that are no pictures */
    bool unnamed;                                             /* a DICOM file without ending was found */
    char *medium;                                             /* path of a DICOMDIR in the folder; NULL: none */
    int depth;                                                /* of the folder that is being read; 0: the root */
    struct stat around[MAX_DEPTH + 1];                        /* [depth + 1]: this folder and those around it */
} search;

static peft_status skip(search *f, const char *name) { return io_strings_add(&f->skipped, io_ending(f->d->ctx, name)); }

static peft_status add_entry(void *user, const char *path, const char *name, bool is_folder);

/* Searches a folder in the one that is being read. */
static peft_status enter_folder(search *f, const char *path)
{
    struct stat st;
    if (stat(path, &st)) return io_fail(PEFT_E_IO, "%s: %s", path, strerror(errno));
    for (int i = 0; i <= f->depth; i++)
        if (st.st_dev == f->around[i].st_dev && st.st_ino == f->around[i].st_ino)
            return io_fail(PEFT_E_UNSUPPORTED, "%s: is a symbolic link to a parent folder, so that its pictures would "
                           "be read again and again; remove the link", path);
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
    peft_context *ctx = f->d->ctx;
    if (is_folder) return enter_folder(f, path);
    if (io_is_image_name(name)) return io_found_add(&f->pictures, io_copy(ctx, path), 0);
    if (io_is_unnamed_image(ctx, path)) {
        f->unnamed = true;
        return io_found_add(&f->pictures, io_copy(ctx, path), 0);
    }
    if (io_is_medium_name(name) && !f->depth && !f->medium)
        return (f->medium = io_copy(ctx, path)) ? PEFT_OK : io_nomem(path);
    if (!strchr(name, '.') && !io_is_medium_name(name)) return io_found_add(&f->unknown, io_copy(ctx, path), 0);
    return skip(f, name);
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
    const bool unnamed = name && io_zip_is_unnamed_image(f->d->store_state, name, member);
    const bool unknown = name && !unnamed && !strchr(name, '.') && !io_is_medium_name(name);
    peft_status s = PEFT_OK;
    (void)guessed;                                            /* the name only identifies the sample */
    f->unnamed |= unnamed;
    if (name && !unnamed && !unknown && !io_is_image_name(name)) s = skip(f, name);
    else if (name) {
        char *folder = io_join(ctx, f->path, "/");
        s = folder ? io_found_add(unknown ? &f->unknown : &f->pictures, io_join(ctx, folder, path), member)
                   : io_nomem(f->path);
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
    for (int64_t i = 0; i < f->unknown.count && !s; i++) {
        found *u = &f->unknown.item[i];
        if (f->unnamed) {
            s = io_found_add(&f->pictures, u->name, u->member);
            u->name = NULL;
        } else s = io_strings_add(&f->skipped, io_copy(f->d->ctx, ""));
    }
    return s;
}

/* Counts the files of a list that are not among the paths in `listed`, which is sorted, as skipped of this kind. */
static peft_status skip_unlisted(search *f, const found_list *files, const io_strings *listed, const char *kind)
{
    peft_status s = PEFT_OK;
    for (int64_t i = 0; i < files->count && !s; i++)
        if (io_strings_find(listed, files->item[i].name) < 0) s = io_strings_add(&f->skipped, io_copy(f->d->ctx, kind));
    return s;
}

/* Replaces the pictures of a folder by those that its DICOMDIR refers to; counts the others as skipped. */
static peft_status keep_those_of_medium(search *f)
{
    peft_context *ctx = f->d->ctx;
    found_list all = f->pictures;
    io_strings listed = { .ctx = ctx };
    f->pictures = (found_list){ .ctx = ctx };
    peft_status s = io_found_on_medium(&f->pictures, f->medium, &f->skipped);
    for (int64_t i = 0; i < f->pictures.count && !s; i++)
        s = io_strings_add(&listed, io_copy(ctx, f->pictures.item[i].name));
    io_strings_sort(&listed);
    if (!s) s = skip_unlisted(f, &all, &listed, "not listed in DICOMDIR");
    if (!s) s = skip_unlisted(f, &f->unknown, &listed, "");
    io_strings_clear(&listed);
    io_found_clear(&all);
    return s;
}

static peft_status search_folder(search *f)
{
    peft_status s = io_each_entry(f->d->ctx, f->path, add_entry, f);
    const bool reorder = !f->medium;
    if (!s) s = f->medium ? keep_those_of_medium(f) : settle_unknown(f);
    if (!s && reorder) io_found_sort(&f->pictures);
    if (!s) s = io_found_series(&f->pictures, reorder);
    return s ? s : io_found_keep(&f->pictures, f->d, NULL);
}

static peft_status search_zip(search *f)
{
    peft_status s = io_zip_store_open(f->path, f->d);
    if (s) return s;
    io_zip_members *m = f->d->store_state;
    s = io_zip_each_member(m, add_member, f);
    if (s) return io_fail_in(s, f->path);
    s = settle_unknown(f);
    io_found_sort(&f->pictures);
    if (!s) s = io_found_keep(&f->pictures, f->d, &m->index);
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
    if (path && !f->pictures.count && stat(path, &st)) {
        peft_status s = io_fail(PEFT_E_FORMAT, "%s: neither a picture nor a list of pictures: there is no file '%s', "
                                "which its line %lld would name; a table needs a column with a common name (path, "
                                "image), or is given with path=COLUMN (programs: --data TABLE --table path=#1)",
                                f->path, path, (long long)l->number);
        peft_sys_free(ctx, path);
        return s;
    }
    return io_found_add(&f->pictures, path, 0);
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
    return s ? s : io_found_keep(&f->pictures, f->d, NULL);
}

/* A DICOMDIR that is given by its own path. */
static peft_status search_medium(search *f)
{
    const bool reorder = false;                               /* the order of its records is kept */
    peft_status s = io_found_on_medium(&f->pictures, f->path, &f->skipped);
    if (!s) s = io_found_series(&f->pictures, reorder);
    return s ? s : io_found_keep(&f->pictures, f->d, NULL);
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
        s = io_found_add(&f->pictures, io_copy(ctx, f->path), 0);
        return s ? s : io_found_keep(&f->pictures, f->d, NULL);
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

static peft_status search_path(search *f)
{
    const bool exists = !stat(f->path, &f->around[0]);
    if (exists && S_ISDIR(f->around[0].st_mode)) return search_folder(f);
    if (io_is_medium_name(f->path)) return search_medium(f);
    return io_ends_in(f->path, ".zip") ? search_zip(f) : search_file(f);
}

static peft_status open_pictures(const io_open_arguments *a, peft_dataset *d)
{
    search f = { .d = d, .path = a->path, .skipped = { .ctx = d->ctx }, .pictures = { .ctx = d->ctx },
                 .unknown = { .ctx = d->ctx } };
    if (!io_ends_in(a->path, ".zip") && io_source_table.probe(a->path)) return open_table(a, d);
    d->store = &io_files;
    peft_status s = search_path(&f);
    if (!s) s = io_count_endings(&f.skipped, &d->skipped);
    if (!s && !d->count)
        s = io_fail(PEFT_E_FORMAT, "%s: no pictures%s%s", a->path, *d->skipped ? ", but " : "", d->skipped);
    io_found_clear(&f.pictures);
    io_found_clear(&f.unknown);
    io_strings_clear(&f.skipped);
    peft_sys_free(d->ctx, f.medium);
    return s;
}

peft_status peft_dataset_open_pictures(peft_context *ctx, const char *path, peft_dataset **out)
{
    static const io_source pictures = { .name = "pictures without labels", .open = open_pictures };
    return io_source_open(&pictures, &(io_open_arguments){ .ctx = ctx, .path = path }, out);
}

static bool probe_medium(const char *path)
{
    struct stat st;
    return io_is_medium_name(path) && !stat(path, &st) && S_ISREG(st.st_mode);
}

static peft_status open_medium(const io_open_arguments *a, peft_dataset *d)
{
    if (!a->split) return open_pictures(a, d);
    return io_fail(PEFT_E_NOTFOUND, "%s: the directory of a medium has no split '%.40s'; open it without one", a->path,
                   a->split);
}

const io_source io_source_medium = {
    .name = "the DICOMDIR of a medium", .probe = probe_medium, .open = open_medium };
