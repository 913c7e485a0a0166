/* SPDX-License-Identifier: Apache-2.0
 * zip_store.c -- the names in a zip, and the store that unpacks a sample when it is read (zip_store.h). */
#include "io/source/zip/zip_store.h"
#include "io/format/formats.h"
#include <peft/file.h>

enum { MAX_ENTRIES = 1 << 22 };
#define MAX_IMAGE_BYTES (1ll << 30)                           /* unpacked */

/* Replaces the backslashes that some Windows programs write, and refuses a name that leads out of the archive, such as
 * ../a.png. */
static peft_status check_name(char *text)
{
    for (char *c = text; *c; c++)
        if (*c == '\\') *c = '/';
    bool escapes = *text == '/';                              /* leads out of the archive */
    for (const char *part = text, *slash; part; part = slash ? slash + 1 : NULL) {
        escapes |= !strcmp(part, "..") || !strncmp(part, "../", 3);
        slash = strchr(part, '/');
    }
    if (!escapes) return PEFT_OK;
    return io_fail(PEFT_E_FORMAT, "the name '%.200s' leads out of the archive; expected names without a leading slash "
                   "and without ..", text);
}

/* Gives the name of entry i to the function. libzip returns it as it is where the entry is marked as UTF-8 or the bytes
 * are valid UTF-8; else it converts the name from code page 437, the default of the format. Such a name may be wrong,
 * as many programs write other code pages, and is marked as guessed. */
static peft_status give_name(const io_archive *a, zip_int64_t i, io_member_function function, void *user)
{
    zip_t *z = a->zip;
    peft_context *ctx = a->ctx;
    const char *raw = zip_get_name(z, (zip_uint64_t)i, ZIP_FL_ENC_RAW);
    char *copy = raw ? io_copy(ctx, raw) : NULL;              /* compared with the converted name */
    const char *text = zip_get_name(z, (zip_uint64_t)i, ZIP_FL_ENC_GUESS);
    if (!raw || !text || !copy) {
        peft_sys_free(ctx, copy);
        return raw && text ? io_nomem("archive") : io_fail(PEFT_E_FORMAT, "%s", zip_strerror(z));
    }
    const bool guessed = strcmp(copy, text) != 0;
    peft_sys_free(ctx, copy);
    char *name = io_copy(ctx, text);
    if (!name) return io_nomem("archive");
    peft_status s = check_name(name);
    if (!s) return function(user, name, guessed, i);
    peft_sys_free(ctx, name);
    return s;
}

peft_status io_zip_each_member(const io_zip_members *m, io_member_function function, void *user)
{
    const zip_int64_t count = zip_get_num_entries(m->archive->zip, 0);
    if (count > MAX_ENTRIES)
        return io_fail(PEFT_E_UNSUPPORTED, "%lld entries, the limit is %d", (long long)count, MAX_ENTRIES);
    peft_status s = PEFT_OK;
    for (zip_int64_t i = 0; i < count && !s; i++) s = give_name(m->archive, i, function, user);
    return s;
}

/* Unpacks the sample, and loads it (slices NULL) or counts its slices. */
static peft_status open_member(const peft_dataset *d, int64_t i, const char *options, peft_image **out, int64_t *slices)
{
    const io_zip_members *m = d->store_state;
    uint8_t *data;
    size_t size;
    peft_status s = io_archive_read(m->archive, m->index[i], &data, &size);
    if (!s) {
        s = slices ? io_image_slices_memory(d->ctx, data, size, options, slices)
                   : peft_image_load_memory(d->ctx, data, size, options, out);
        peft_sys_free(d->ctx, data);
    }
    return s ? io_fail_in(s, d->names.item[i]) : PEFT_OK;
}

static peft_status read_member(const peft_dataset *d, int64_t i, const char *options, peft_image **out)
{
    return open_member(d, i, options, out, NULL);
}

static peft_status count_slices(const peft_dataset *d, int64_t i, const char *options, int64_t *slices)
{
    return open_member(d, i, options, NULL, slices);
}

/* The limit is that of io_archive_read. */
static peft_status read_bytes(const peft_dataset *d, int64_t i, int64_t limit, uint8_t **data, size_t *size)
{
    const io_zip_members *m = d->store_state;
    (void)limit;
    return io_archive_read(m->archive, m->index[i], data, size);
}

/* The entry's unpacked size; identity stays what the caller has set. */
static peft_status locate(const peft_dataset *d, int64_t i, int64_t *size, uint64_t identity[2])
{
    const io_zip_members *m = d->store_state;
    (void)identity;
    return io_archive_size(m->archive, m->index[i], size);
}

/* The digest of an image's bytes as they are without compression. All of them are unpacked, however few are wanted. */
static peft_status hash(const peft_dataset *d, int64_t i, int64_t bytes, char hex[65])
{
    const io_zip_members *m = d->store_state;
    uint8_t *data;
    size_t size;
    peft_status s = io_archive_read(m->archive, m->index[i], &data, &size);
    if (s) return s;
    peft_sha256(data, size < (size_t)bytes ? size : (size_t)bytes, hex);
    peft_sys_free(d->ctx, data);
    return PEFT_OK;
}

static void close_members(peft_context *ctx, void *state)
{
    io_zip_members *m = state;
    io_archive_free(m->archive);
    peft_sys_free(ctx, m->index);
    peft_sys_free(ctx, m);
}

static const io_store zip_members = {
    .read = read_member, .slices = count_slices, .bytes = read_bytes, .locate = locate, .hash = hash,
    .close = close_members };

bool io_zip_is_unnamed_image(const io_zip_members *m, const char *name, int64_t member)
{
    uint8_t head[IO_UNNAMED_HEAD];
    if (!io_may_be_unnamed(name)) return false;
    zip_file_t *file = zip_fopen_index(m->archive->zip, (zip_uint64_t)member, 0);
    const zip_int64_t size = file ? zip_fread(file, head, sizeof head) : 0;
    if (file) zip_fclose(file);
    return size > 0 && io_is_unnamed_head(head, (size_t)size);
}

peft_status io_zip_check_samples(const peft_dataset *d)
{
    const io_zip_members *m = d->store_state;
    zip_t *z = m->archive->zip;
    for (int64_t i = 0; i < d->count; i++) {
        zip_stat_t st;
        peft_status s = zip_stat_index(z, (zip_uint64_t)m->index[i], 0, &st)
                            ? io_fail(PEFT_E_FORMAT, "%s", zip_strerror(z)) : io_zip_check(&st, MAX_IMAGE_BYTES);
        if (s) return io_fail_in(s, d->names.item[i]);
    }
    return PEFT_OK;
}

peft_status io_zip_store_open(const char *path, peft_dataset *d)
{
    io_zip_members *m = d->store_state = io_alloc(d->ctx, 1, sizeof *m);
    if (!m) return io_nomem(path);
    d->store = &zip_members;
    return io_archive_open(d->ctx, path, &m->archive);
}
