/* SPDX-License-Identifier: Apache-2.0
 * zip_folder.c -- data sets from a zip of a folder of images, by the rules for folders. The archive stays open. */
#include "io/archive/archive.h"
#include "io/source/source.h"
#include "io/source/tree.h"
#include <peft/file.h>

enum { MOST_ENTRIES = 1 << 22 };
#define MOST_BYTES (1ll << 30)

/* Turns the backslashes of some Windows programs into slashes and refuses a name that leads out of the archive. */
static peft_status check_name(char *text)
{
    for (char *c = text; *c; c++)
        if (*c == '\\') *c = '/';
    bool escapes = *text == '/';
    for (const char *part = text, *slash; part; part = slash ? slash + 1 : NULL) {
        escapes |= !strcmp(part, "..") || !strncmp(part, "../", 3);
        slash = strchr(part, '/');
    }
    return escapes ? io_fail(PEFT_E_FORMAT, "the name '%.200s' leads out of the archive", text) : PEFT_OK;
}

/* libzip takes a name as UTF-8 where the entry says so or its bytes are valid UTF-8, and else converts it from code
 * page 437, the default of the format: guessed is true for a name that was converted. */
static peft_status add_name(zip_t *z, zip_int64_t i, io_tree *t)
{
    const char *raw = zip_get_name(z, (zip_uint64_t)i, ZIP_FL_ENC_RAW);
    char *own = raw ? io_copy(t->ctx, raw) : NULL;
    const char *text = zip_get_name(z, (zip_uint64_t)i, ZIP_FL_ENC_GUESS);
    if (!raw || !text || !own) {
        peft_sys_free(t->ctx, own);
        return raw && text ? io_nomem("archive") : io_fail(PEFT_E_FORMAT, "%s", zip_strerror(z));
    }
    const bool guessed = strcmp(own, text) != 0;
    peft_sys_free(t->ctx, own);
    if (!(own = io_copy(t->ctx, text))) return io_nomem("archive");
    peft_status s = check_name(own);
    if (!s) return io_tree_add(t, own, guessed, i);
    peft_sys_free(t->ctx, own);
    return s;
}

static peft_status read_names(zip_t *z, io_tree *t)
{
    zip_int64_t count = zip_get_num_entries(z, 0);
    if (count > MOST_ENTRIES)
        return io_fail(PEFT_E_UNSUPPORTED, "%lld entries, the limit is %d", (long long)count, MOST_ENTRIES);
    peft_status s = PEFT_OK;
    for (zip_int64_t i = 0; i < count && !s; i++) s = add_name(z, i, t);
    return s;
}

/* The store's state: the open archive, and at [count], the index of each sample's entry. */
typedef struct members { io_archive *archive; int64_t *at; } members;

static peft_status read_member(const peft_dataset *d, int64_t i, const char *options, peft_image **out)
{
    const members *m = d->held;
    uint8_t *data;
    size_t size;
    peft_status s = io_archive_read(m->archive, m->at[i], &data, &size);
    if (!s) {
        s = peft_image_load_memory(d->ctx, data, size, options, out);
        peft_sys_free(d->ctx, data);
    }
    return s ? io_fail_in(s, d->names.item[i]) : PEFT_OK;
}

static peft_status locate(const peft_dataset *d, int64_t i, int64_t *size, uint64_t place[2])
{
    const members *m = d->held;
    (void)place;
    return io_archive_size(m->archive, m->at[i], size);
}

static peft_status hash(const peft_dataset *d, int64_t i, int64_t bytes, char hex[65])
{
    const members *m = d->held;
    uint8_t *data;
    size_t size;
    peft_status s = io_archive_read(m->archive, m->at[i], &data, &size);
    if (s) return s;
    peft_sha256(data, size < (size_t)bytes ? size : (size_t)bytes, hex);
    peft_sys_free(d->ctx, data);
    return PEFT_OK;
}

static void close_members(peft_context *ctx, void *held)
{
    members *m = held;
    io_archive_free(m->archive);
    peft_sys_free(ctx, m->at);
    peft_sys_free(ctx, m);
}

static const io_store zip_members = { .read = read_member, .locate = locate, .hash = hash, .close = close_members };

static peft_status check_members(const peft_dataset *d, const members *m)
{
    zip_t *z = m->archive->zip;
    for (int64_t i = 0; i < d->count; i++) {
        zip_stat_t st;
        peft_status s = zip_stat_index(z, (zip_uint64_t)m->at[i], 0, &st)
                            ? io_fail(PEFT_E_FORMAT, "%s", zip_strerror(z)) : io_zip_check(&st, MOST_BYTES);
        if (s) return io_fail_in(s, d->names.item[i]);
    }
    return PEFT_OK;
}

static peft_status open_zip(const io_place *at, peft_dataset *d)
{
    io_tree t = { .ctx = d->ctx };
    peft_status s = io_check_split(at->split);
    if (s) return s;
    members *m = d->held = io_alloc(d->ctx, 1, sizeof *m);
    if (!m) return io_nomem(at->path);
    d->store = &zip_members;
    s = io_archive_open(d->ctx, at->path, &m->archive);
    if (s) return s;
    s = read_names(m->archive->zip, &t);
    if (s) io_fail_in(s, at->path);
    if (!s) s = io_tree_skip_top(&t, at->path, at->split);
    if (!s) s = io_tree_arrange(&t, at->path, at->split, &m->at, d);
    if (!s) s = check_members(d, m);
    io_tree_clear(&t);
    return s;
}

static bool probe(const char *path) { return io_ends_in(path, ".zip"); }

const io_source io_source_zip = { .name = "a .zip of such a folder", .probe = probe, .open = open_zip };

peft_status peft_dataset_open_zip(peft_context *ctx, const char *path, const char *split, peft_dataset **out)
{
    return io_source_open(&io_source_zip, &(io_place){ .ctx = ctx, .path = path, .split = split }, out);
}
