/* SPDX-License-Identifier: Apache-2.0
 * zip.c -- checks the size, encryption and compression of a zip's entries, and unpacks them into memory. */
#include "io/archive/zip.h"
#include <stdio.h>

/* Deflate packs at most 258 bytes into 2 bits, so that no valid entry unpacks to more than 1032 times its packed size.
 * RATIO_SLACK packed bytes are added before the comparison, so that small entries pass. */
enum { MAX_RATIO = 1032, RATIO_SLACK = 4096, FIRST_ALLOCATION = 1 << 20 };
#define MAX_BYTES (8ll << 30)

/* The name of a compression method; text: memory for one that is not in the table. */
static const char *method_name(int method, char text[24])
{
    /* 93 and 98: libzip, or an older version of it, has no constant for these methods. */
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
    const zip_uint64_t required = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD;
    char text[24];
    if ((st->valid & required) != required)
        return io_fail(PEFT_E_FORMAT, "the archive does not state the entry's size");
    if ((st->valid & ZIP_STAT_ENCRYPTION_METHOD) && st->encryption_method != ZIP_EM_NONE)
        return io_fail(PEFT_E_UNSUPPORTED, "the entry is encrypted; pack it again without a password");
    if (st->comp_method != ZIP_CM_STORE && st->comp_method != ZIP_CM_DEFLATE &&
        !zip_compression_method_supported(st->comp_method, 0))
        return io_fail(PEFT_E_UNSUPPORTED, "the entry is compressed by %s, which this build does not read; pack it "
                       "again with Deflate, the default of zip programs", method_name(st->comp_method, text));
    if (st->size > (zip_uint64_t)limit || st->size / MAX_RATIO > st->comp_size + RATIO_SLACK)
        return io_fail(PEFT_E_UNSUPPORTED, "the entry unpacks to %llu bytes from %llu; the limits are %lld bytes and a "
                       "factor of %d",
                       (unsigned long long)st->size, (unsigned long long)st->comp_size, (long long)limit, MAX_RATIO);
    return PEFT_OK;
}

/* Unpacks size bytes. The memory grows with the bytes that were unpacked, because the size in the zip's directory may
 * be wrong. libzip verifies the checksum when a read reaches the end, so one more byte is asked for at the end. */
static peft_status read_all(peft_context *ctx, zip_file_t *f, zip_uint64_t size, uint8_t **data)
{
    zip_uint64_t capacity = size < FIRST_ALLOCATION ? size : FIRST_ALLOCATION, done = 0;
    uint8_t *bytes = peft_sys_alloc(ctx, capacity), after_end;
    while (bytes && done < size) {
        if (done == capacity) {
            capacity = capacity > size / 2 ? size : 2 * capacity;
            uint8_t *larger = peft_sys_realloc(ctx, bytes, capacity);
            if (!larger) {
                peft_sys_free(ctx, bytes);
                bytes = NULL;
                break;
            }
            bytes = larger;
        }
        zip_int64_t n = zip_fread(f, bytes + done, capacity - done);
        if (n <= 0) break;
        done += (zip_uint64_t)n;
    }
    if (!bytes) return io_nomem("zip entry");
    if (done < size || zip_fread(f, &after_end, 1)) {
        peft_sys_free(ctx, bytes);
        return io_fail(PEFT_E_FORMAT, "the entry's data are damaged; copy or pack the archive again");
    }
    *data = bytes;
    return PEFT_OK;
}

peft_status io_zip_read(peft_context *ctx, zip_t *z, zip_int64_t index, uint8_t **data, size_t *size)
{
    zip_stat_t st;
    if (zip_stat_index(z, (zip_uint64_t)index, 0, &st)) return io_fail(PEFT_E_FORMAT, "%s", zip_strerror(z));
    peft_status s = io_zip_check(&st, MAX_BYTES);
    if (s) return s;
    zip_file_t *f = zip_fopen_index(z, (zip_uint64_t)index, 0);
    if (!f) return io_fail(PEFT_E_FORMAT, "%s", zip_strerror(z));
    s = read_all(ctx, f, st.size, data);
    if (!s) *size = st.size;
    zip_fclose(f);
    return s;
}
