/* SPDX-License-Identifier: Apache-2.0
 * zip.c -- unpacks entries of a zip into memory, with limits on their size. */
#include "io/archive/zip.h"
#include <stdio.h>

/* Deflate packs at most 258 bytes into 2 bits, a factor of 1032. No valid entry exceeds it, however uniform its data;
 * ROUNDED bytes allow for the headers of small entries. */
enum { MOST_RATIO = 1032, ROUNDED = 4096, FIRST_READ = 1 << 20 };
#define MOST_BYTES (8ll << 30)

static const char *method_name(int method, char text[24])
{
    static const struct { int method; const char *name; } names[] = {
        { ZIP_CM_DEFLATE64, "Deflate64" }, { ZIP_CM_BZIP2, "bzip2" }, { ZIP_CM_LZMA, "LZMA" }, { 93, "Zstandard" },
        { ZIP_CM_XZ, "xz" }, { 98, "PPMd" } };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].method == method) return names[i].name;
    snprintf(text, 24, "method %d", method);
    return text;
}

peft_status io_zip_check(const zip_stat_t *st, int64_t limit)
{
    const zip_uint64_t need = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD;
    char text[24];
    if ((st->valid & need) != need) return io_fail(PEFT_E_FORMAT, "the archive does not state the entry's size");
    if ((st->valid & ZIP_STAT_ENCRYPTION_METHOD) && st->encryption_method != ZIP_EM_NONE)
        return io_fail(PEFT_E_UNSUPPORTED, "the entry is encrypted");
    if (st->comp_method != ZIP_CM_STORE && st->comp_method != ZIP_CM_DEFLATE &&
        !zip_compression_method_supported(st->comp_method, 0))
        return io_fail(PEFT_E_UNSUPPORTED, "the entry is compressed by %s, which this build does not read; pack it "
                       "again with Deflate, the default of zip programs", method_name(st->comp_method, text));
    if (st->size > (zip_uint64_t)limit || st->size / MOST_RATIO > st->comp_size + ROUNDED)
        return io_fail(PEFT_E_UNSUPPORTED, "the entry unpacks to %llu bytes from %llu; the limits are %lld bytes and a "
                       "factor of %d",
                       (unsigned long long)st->size, (unsigned long long)st->comp_size, (long long)limit, MOST_RATIO);
    return PEFT_OK;
}

/* Memory grows with the bytes that are read, not with the size that the directory announces. The read beyond the end
 * makes libzip compare the checksum. */
static peft_status read_all(peft_context *ctx, zip_file_t *f, zip_uint64_t size, uint8_t **data)
{
    zip_uint64_t room = size < FIRST_READ ? size : FIRST_READ, at = 0;
    uint8_t *d = peft_sys_alloc(ctx, room), beyond;
    while (d && at < size) {
        if (at == room) {
            room = room > size / 2 ? size : 2 * room;
            uint8_t *more = peft_sys_realloc(ctx, d, room);
            if (!more) {
                peft_sys_free(ctx, d);
                d = NULL;
                break;
            }
            d = more;
        }
        zip_int64_t n = zip_fread(f, d + at, room - at);
        if (n <= 0) break;
        at += (zip_uint64_t)n;
    }
    if (!d) return io_nomem("zip entry");
    if (at < size || zip_fread(f, &beyond, 1)) {
        peft_sys_free(ctx, d);
        return io_fail(PEFT_E_FORMAT, "the entry's data are damaged");
    }
    *data = d;
    return PEFT_OK;
}

peft_status io_zip_read(peft_context *ctx, zip_t *z, zip_int64_t index, uint8_t **data, size_t *size)
{
    zip_stat_t st;
    if (zip_stat_index(z, (zip_uint64_t)index, 0, &st)) return io_fail(PEFT_E_FORMAT, "%s", zip_strerror(z));
    peft_status s = io_zip_check(&st, MOST_BYTES);
    if (s) return s;
    zip_file_t *f = zip_fopen_index(z, (zip_uint64_t)index, 0);
    if (!f) return io_fail(PEFT_E_FORMAT, "%s", zip_strerror(z));
    s = read_all(ctx, f, st.size, data);
    if (!s) *size = st.size;
    zip_fclose(f);
    return s;
}
