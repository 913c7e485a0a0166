/* SPDX-License-Identifier: Apache-2.0
 * npy.c -- parses .npy files. Their header is a Python dictionary with exactly the keys descr, fortran_order and
 * shape. */
#include "io/archive/npy.h"
#include <stdio.h>

typedef struct cursor { const char *at, *end; } cursor;

static void blanks(cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n')) c->at++;
}

/* Skips blanks, then word if it follows; false: it does not. */
static bool take(cursor *c, const char *word)
{
    size_t n = strlen(word);
    blanks(c);
    if ((size_t)(c->end - c->at) < n || memcmp(c->at, word, n)) return false;
    c->at += n;
    return true;
}

static bool quoted(cursor *c, char *out, size_t room)
{
    if (!take(c, "'")) return false;
    const char *close = memchr(c->at, '\'', (size_t)(c->end - c->at));
    if (!close || (size_t)(close - c->at) >= room) return false;
    memcpy(out, c->at, (size_t)(close - c->at));
    out[close - c->at] = 0;
    c->at = close + 1;
    return true;
}

/* Sets ndim, dim and count. Extents beyond IO_NPY_DIMS are counted in ndim and not stored; check_shape refuses them. */
static bool read_shape(cursor *c, io_npy *a)
{
    int64_t extent;
    if (!take(c, "(")) return false;
    for (a->ndim = 0, a->count = 1; !take(c, ")"); a->ndim++) {
        blanks(c);
        const char *first = c->at;
        while (c->at < c->end && *c->at >= '0' && *c->at <= '9') c->at++;
        if (!peft_sys_opt_integer(first, (size_t)(c->at - first), &extent) ||
            __builtin_mul_overflow(a->count, extent, &a->count))
            return false;
        if (a->ndim < IO_NPY_DIMS) a->dim[a->ndim] = extent;
        if (take(c, ",")) continue;
        return take(c, ")") && a->ndim++ > 0;                 /* (n) without a comma is a number, not a shape */
    }
    return true;
}

static peft_status check_shape(const io_npy *a)
{
    if (a->ndim >= 1 && a->ndim <= IO_NPY_DIMS) return PEFT_OK;
    return io_fail(PEFT_E_UNSUPPORTED, "array of %d extents, expected 1 to %d", a->ndim, IO_NPY_DIMS);
}

/* Reads descr, such as "<i8" or "|u1": byte order, kind, bytes of a number. */
static peft_status read_type(const char *descr, unsigned kinds, io_npy *a)
{
    const bool whole = strlen(descr) == 3 && strchr("<|", descr[0]) && strchr("uib", descr[1]) &&
                       strchr("1248", descr[2]) && (descr[1] != 'b' || descr[2] == '1');
    if ((kinds & IO_NPY_WHOLE && whole) || (kinds & IO_NPY_F32 && !strcmp(descr, "<f4"))) {
        a->kind = descr[1];
        a->bytes = descr[2] - '0';
        return PEFT_OK;
    }
    return io_fail(PEFT_E_UNSUPPORTED, "array of type '%s', expected little-endian %s", descr,
                   kinds == IO_NPY_F32 ? "32-bit floats" : kinds == IO_NPY_WHOLE ? "whole numbers"
                   : "whole numbers or 32-bit floats (save it with .astype('float32'))");
}

static peft_status read_header(cursor c, unsigned kinds, io_npy *a)
{
    char key[20], descr[20];
    unsigned seen = 0;
    bool good = take(&c, "{");
    while (good && !take(&c, "}")) {
        good = quoted(&c, key, sizeof key) && take(&c, ":");
        unsigned bit = !strcmp(key, "descr") ? 1 : !strcmp(key, "fortran_order") ? 2 : !strcmp(key, "shape") ? 4 : 0;
        if (!good || !bit || seen & bit) break;
        seen |= bit;
        if (bit == 1) {
            if (take(&c, "["))
                return io_fail(PEFT_E_UNSUPPORTED, "array of records, expected numbers");
            good = quoted(&c, descr, sizeof descr);
        }
        if (bit == 2 && take(&c, "True"))
            return io_fail(PEFT_E_UNSUPPORTED, "array in Fortran order, expected C order (numpy.ascontiguousarray)");
        if (bit == 2) good = take(&c, "False");
        if (bit == 4) good = read_shape(&c, a);
        if (good && !take(&c, ",")) {
            good = take(&c, "}");
            break;
        }
    }
    blanks(&c);
    if (!good || seen != 7 || c.at != c.end) return io_fail(PEFT_E_FORMAT, "broken array header");
    const peft_status s = check_shape(a);
    return s ? s : read_type(descr, kinds, a);
}

peft_status io_npy_parse(const uint8_t *file, size_t size, unsigned kinds, io_npy *out)
{
    io_npy a = { 0 };
    if (size < 12 || memcmp(file, "\x93NUMPY", 6) || file[6] < 1 || file[6] > 3)
        return io_fail(PEFT_E_FORMAT, "not an array file (.npy, version 1 to 3)");
    size_t start = file[6] == 1 ? 10 : 12, length = file[8] | (size_t)file[9] << 8;
    if (file[6] > 1) length |= (size_t)file[10] << 16 | (size_t)file[11] << 24;
    if (length > 65536 || length > size - start) return io_fail(PEFT_E_FORMAT, "broken array header");
    const char *text = (const char *)file + start;
    peft_status s = read_header((cursor){ text, text + length }, kinds, &a);
    if (s) return s;
    int64_t bytes;
    if (__builtin_mul_overflow(a.count, a.bytes, &bytes) || (uint64_t)bytes != size - start - length)
        return io_fail(PEFT_E_FORMAT, "the array's header announces %lld numbers of %d bytes, the file has %zu bytes "
                       "of data", (long long)a.count, a.bytes, size - start - length);
    a.data = file + start + length;
    *out = a;
    return PEFT_OK;
}

bool io_npy_int(const io_npy *a, int64_t i, int64_t *out)
{
    uint64_t v = 0;
    const uint8_t *p = a->data + i * a->bytes;
    for (int b = 0; b < a->bytes; b++) v |= (uint64_t)p[b] << 8 * b;
    uint64_t sign = 1ull << (8 * a->bytes - 1);
    if (a->kind != 'i' && v > INT64_MAX) return false;
    if (a->kind == 'i' && v & sign) v |= ~(sign - 1);         /* sign extension */
    memcpy(out, &v, sizeof v);
    return true;
}

const char *io_npy_describe(const io_npy *a, char *text, size_t room)
{
    size_t at = (size_t)snprintf(text, room, "%c%d of [", a->kind, 8 * a->bytes);
    for (int i = 0; i < a->ndim && at < room; i++)
        at += (size_t)snprintf(text + at, room - at, "%s%lld", i ? "," : "", (long long)a->dim[i]);
    if (at < room) snprintf(text + at, room - at, "]");
    return text;
}
