/* SPDX-License-Identifier: Apache-2.0
 * zip.c -- entries of a zip in memory, with limits on what they may grow to. */
#include "io/zip.h"

enum { MOST_RATIO = 200 };
#define MOST_BYTES (8ll << 30)

peft_status io_zip_check(const zip_stat_t *st, int64_t limit)
{
    zip_uint64_t need = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE;
    if ((st->valid & need) != need) return io_fail(PEFT_E_FORMAT, "size unknown");
    if ((st->valid & ZIP_STAT_ENCRYPTION_METHOD) && st->encryption_method != ZIP_EM_NONE)
        return io_fail(PEFT_E_UNSUPPORTED, "the entry is encrypted");
    if (st->size > (zip_uint64_t)limit || (st->size > 1 << 20 && st->size / MOST_RATIO > st->comp_size))
        return io_fail(PEFT_E_UNSUPPORTED, "%llu bytes from %llu, the limits are %lld and %d times",
                       (unsigned long long)st->size, (unsigned long long)st->comp_size, (long long)limit, MOST_RATIO);
    return PEFT_OK;
}

/* Reading on to the end makes libzip compare the checksum. */
static bool read_all(zip_file_t *f, uint8_t *data, zip_uint64_t size)
{
    uint8_t beyond;
    for (zip_uint64_t at = 0; at < size;) {
        zip_int64_t n = zip_fread(f, data + at, size - at);
        if (n <= 0) return false;
        at += (zip_uint64_t)n;
    }
    return zip_fread(f, &beyond, 1) == 0;
}

peft_status io_zip_read(zip_t *z, zip_int64_t index, uint8_t **data, size_t *size)
{
    zip_stat_t st;
    if (zip_stat_index(z, (zip_uint64_t)index, 0, &st)) return io_fail(PEFT_E_FORMAT, "%s", zip_strerror(z));
    peft_status s = io_zip_check(&st, MOST_BYTES);
    if (s) return s;
    zip_file_t *f = zip_fopen_index(z, (zip_uint64_t)index, 0);
    if (!f) return io_fail(PEFT_E_FORMAT, "%s", zip_strerror(z));
    uint8_t *d = malloc(st.size ? st.size : 1);
    if (!d) s = io_nomem("zip entry");
    else if (!read_all(f, d, st.size)) s = io_fail(PEFT_E_FORMAT, "the compressed data are broken");
    zip_fclose(f);
    if (s) free(d);
    else {
        *data = d;
        *size = st.size;
    }
    return s;
}

peft_status io_zip_open(const char *path, zip_t **out)
{
    int code;
    *out = zip_open(path, ZIP_RDONLY, &code);
    if (*out) return PEFT_OK;
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    peft_status s = io_fail(code == ZIP_ER_OPEN || code == ZIP_ER_NOENT || code == ZIP_ER_READ ? PEFT_E_IO
                            : code == ZIP_ER_MEMORY ? PEFT_E_NOMEM : PEFT_E_FORMAT, "%s: %s", path,
                            zip_error_strerror(&error));
    zip_error_fini(&error);
    return s;
}
