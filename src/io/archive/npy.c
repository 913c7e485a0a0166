/* SPDX-License-Identifier: Apache-2.0
 * npy.c -- parses .npy files. Their header is a Python dictionary with exactly three keys:
 * {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }. */
#include "io/archive/npy.h"
#include <stdio.h>

/* The header's text that is not read yet: next..end. */
typedef struct cursor { const char *next, *end; } cursor;

static void skip_blanks(cursor *c)
{
    while (c->next < c->end && (*c->next == ' ' || *c->next == '\n')) c->next++;
}

/* Skips blanks, then word; false: another word follows, which stays unread. */
static bool accept(cursor *c, const char *word)
{
    size_t n = strlen(word);
    skip_blanks(c);
    if ((size_t)(c->end - c->next) < n || memcmp(c->next, word, n)) return false;
    c->next += n;
    return true;
}

/* Reads a text in quotes into out [size]; false: none follows, or it is too long. */
static bool read_quoted(cursor *c, char *out, size_t size)
{
    if (!accept(c, "'")) return false;
    const char *close = memchr(c->next, '\'', (size_t)(c->end - c->next));
    if (!close || (size_t)(close - c->next) >= size) return false;
    memcpy(out, c->next, (size_t)(close - c->next));
    out[close - c->next] = 0;
    c->next = close + 1;
    return true;
}

/* Sets ndim, dim and count. More than IO_NPY_DIMS extents are counted in ndim, not stored; check_shape refuses them. */
static bool read_shape(cursor *c, io_npy *a)
{
    int64_t extent;
    if (!accept(c, "(")) return false;
    for (a->ndim = 0, a->count = 1; !accept(c, ")"); a->ndim++) {
        skip_blanks(c);
        const char *first = c->next;
        while (c->next < c->end && *c->next >= '0' && *c->next <= '9') c->next++;
        if (!peft_sys_opt_integer(first, (size_t)(c->next - first), &extent) ||
            __builtin_mul_overflow(a->count, extent, &a->count))
            return false;
        if (a->ndim < IO_NPY_DIMS) a->dim[a->ndim] = extent;
        if (accept(c, ",")) continue;
        /* The last extent, (h, w), may stand without a comma, but not an only one: (n,) is a shape, (n) a number. */
        return accept(c, ")") && a->ndim++ > 0;
    }
    return true;
}

/* Refuses shapes that io_npy cannot hold. */
static peft_status check_shape(const io_npy *a)
{
    if (a->ndim >= 1 && a->ndim <= IO_NPY_DIMS) return PEFT_OK;
    return io_fail(PEFT_E_UNSUPPORTED, "array of %d extents, expected 1 to %d", a->ndim, IO_NPY_DIMS);
}

/* Reads descr, such as "<i8" or "|u1": byte order, kind, bytes of an element. */
static peft_status read_type(const char *descr, unsigned accepted, io_npy *a)
{
    const bool integers = strlen(descr) == 3 && strchr("<|", descr[0]) && strchr("uib", descr[1]) &&
                       strchr("1248", descr[2]) && (descr[1] != 'b' || descr[2] == '1');
    if ((accepted & IO_NPY_INTEGERS && integers) || (accepted & IO_NPY_F32 && !strcmp(descr, "<f4"))) {
        a->kind = descr[1];
        a->bytes = descr[2] - '0';
        return PEFT_OK;
    }
    return io_fail(PEFT_E_UNSUPPORTED, "array of type '%s', expected little-endian %s", descr,
                   accepted == IO_NPY_F32 ? "32-bit floats" : accepted == IO_NPY_INTEGERS ? "whole numbers"
                   : "whole numbers or 32-bit floats (save it with .astype('float32'))");
}

static peft_status broken_header(void)
{
    return io_fail(PEFT_E_FORMAT, "broken array header; expected a dictionary of descr, fortran_order and shape, as "
                   "numpy.save writes it");
}

/* Reads the dictionary, in which each key occurs once, into all members of a but data. */
static peft_status read_header(cursor c, unsigned accepted, io_npy *a)
{
    char key[20], descr[20];
    enum { DESCR = 1, ORDER = 2, SHAPE = 4, ALL = DESCR | ORDER | SHAPE };
    unsigned found = 0;                                       /* the keys that were read, as bits */
    bool good = accept(&c, "{");
    while (good && !accept(&c, "}")) {
        good = read_quoted(&c, key, sizeof key) && accept(&c, ":");
        unsigned bit = !strcmp(key, "descr") ? DESCR : !strcmp(key, "fortran_order") ? ORDER
                     : !strcmp(key, "shape") ? SHAPE : 0;
        if (!good || !bit || found & bit) break;
        found |= bit;
        if (bit == DESCR) {
            if (accept(&c, "["))
                return io_fail(PEFT_E_UNSUPPORTED, "array of records, expected numbers");
            good = read_quoted(&c, descr, sizeof descr);
        }
        if (bit == ORDER && accept(&c, "True"))
            return io_fail(PEFT_E_UNSUPPORTED, "array in Fortran order, expected C order (numpy.ascontiguousarray)");
        if (bit == ORDER) good = accept(&c, "False");
        if (bit == SHAPE) good = read_shape(&c, a);
        if (good && !accept(&c, ",")) {
            good = accept(&c, "}");
            break;
        }
    }
    skip_blanks(&c);
    if (!good || found != ALL || c.next != c.end) return broken_header();
    const peft_status s = check_shape(a);
    return s ? s : read_type(descr, accepted, a);
}

/* A file begins with \x93NUMPY, a byte each of major and minor version, and the length of the header, in two bytes in
 * version 1, else in four. */
peft_status io_npy_parse(const uint8_t *file, size_t size, unsigned accepted, io_npy *out)
{
    io_npy a = { 0 };
    if (size < 12 || memcmp(file, "\x93NUMPY", 6) || file[6] < 1 || file[6] > 3)
        return io_fail(PEFT_E_FORMAT, "not an array file (.npy, version 1 to 3)");
    size_t start = file[6] == 1 ? 10 : 12, length = file[8] | (size_t)file[9] << 8;
    if (file[6] > 1) length |= (size_t)file[10] << 16 | (size_t)file[11] << 24;
    if (length > 65536 || length > size - start) return broken_header();
    const char *text = (const char *)file + start;
    peft_status s = read_header((cursor){ text, text + length }, accepted, &a);
    if (s) return s;
    int64_t bytes;
    if (__builtin_mul_overflow(a.count, a.bytes, &bytes) || (uint64_t)bytes != size - start - length)
        return io_fail(PEFT_E_FORMAT, "the array's header states %lld numbers of %d bytes, the file has %zu bytes "
                       "of data", (long long)a.count, a.bytes, size - start - length);
    a.data = file + start + length;
    *out = a;
    return PEFT_OK;
}

/* Elements are little-endian; a and out may be of different widths. */
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

const char *io_npy_describe(const io_npy *a, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "%c%d of [", a->kind, 8 * a->bytes);
    for (int i = 0; i < a->ndim && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%lld", i ? "," : "", (long long)a->dim[i]);
    if (used < size) snprintf(text + used, size - used, "]");
    return text;
}
