/* SPDX-License-Identifier: Apache-2.0
 * int8_file.c -- matrices stored as int8 in files; see int8_file.h. A matrix [rows, cols] is a tensor of I8
 * [rows, blocks, 64], rows of blocks of rotated whole numbers (kernels/ref/int8.h), with three extents so that no other
 * library takes it for the matrix; its scales are a tensor of F32 [rows, pieces]. */
#include <string.h>
#include "core/format/meta.h"
#include "core/weights/int8_file.h"
#include "kernels/ref/int8.h"

#define STORAGE "libpeft.storage"
#define SCALE "_scale"                   /* the name of the scales is that of the matrix with this behind it */
enum { VERSION = 1, SCALE_NAME_MAX = 1100 };

/* PEFT_E_UNSUPPORTED: the entry is not this number. */
static peft_status expect_number(const pf_st *file, const char *key, int64_t expected)
{
    int64_t given;
    PF_TRY(pf_meta_read_int(file, key, &given));
    if (given == expected) return PEFT_OK;
    return pf_fail(PEFT_E_UNSUPPORTED, "metadata entry '%s': given %lld, this version of the library reads %lld: "
                   "write the file again by convert --dtype int8, or use a newer version", key, (long long)given,
                   (long long)expected);
}

/* Reads a digest of 64 hexadecimal digits. */
static peft_status read_digest(const pf_st *file, const char *key, char out[65])
{
    const char *text;
    PF_TRY(pf_meta_read_text(file, key, &text));
    if (strlen(text) != 64 || strspn(text, "0123456789abcdef") != 64)
        return pf_fail(PEFT_E_FORMAT, "metadata entry '%s': given '%.80s', expected 64 hexadecimal digits in lower "
                       "case", key, text);
    memcpy(out, text, 65);
    return PEFT_OK;
}

peft_status pf_int8_read_header(const pf_st *file, pf_int8_header *h)
{
    const char *storage = pf_st_meta(file, STORAGE);
    *h = (pf_int8_header){ .int8 = storage != NULL };
    if (!storage) return PEFT_OK;
    if (strcmp(storage, "int8"))
        return pf_fail(PEFT_E_UNSUPPORTED, "metadata entry '" STORAGE "': given '%.40s', this version of the library "
                       "reads int8", storage);
    PF_TRY(expect_number(file, STORAGE ".version", VERSION));
    PF_TRY(expect_number(file, STORAGE ".piece", PK_INT8_PIECE));
    PF_TRY(expect_number(file, STORAGE ".rotation", PK_INT8_BLOCK));
    PF_TRY(pf_meta_read_int(file, STORAGE ".mlp", &h->mlp));
    if (h->mlp < 1)
        return pf_fail(PEFT_E_FORMAT, "metadata entry '" STORAGE ".mlp': given %lld, expected the columns of fc2, at "
                       "least 1", (long long)h->mlp);
    PF_TRY(read_digest(file, STORAGE ".source", h->source));
    return read_digest(file, STORAGE ".content", h->content);
}

peft_status pf_int8_write_header(const pf_int8_header *h, pf_st_out *o)
{
    PF_TRY(pf_st_out_meta(o, STORAGE, "int8"));
    PF_TRY(pf_meta_add_int(o, STORAGE ".version", VERSION));
    PF_TRY(pf_meta_add_int(o, STORAGE ".piece", PK_INT8_PIECE));
    PF_TRY(pf_meta_add_int(o, STORAGE ".rotation", PK_INT8_BLOCK));
    PF_TRY(pf_meta_add_int(o, STORAGE ".mlp", h->mlp));
    PF_TRY(pf_st_out_meta(o, STORAGE ".source", h->source));
    return pf_st_out_meta(o, STORAGE ".content", h->content);
}

bool pf_int8_is_scale(const pf_st *file, const pf_st_tensor *t)
{
    const size_t n = strlen(t->name), end = sizeof SCALE - 1;
    char matrix[SCALE_NAME_MAX];
    if (n <= end || n >= sizeof matrix || strcmp(t->name + n - end, SCALE)) return false;
    memcpy(matrix, t->name, n - end);
    matrix[n - end] = 0;
    const pf_st_tensor *m = pf_st_find(file, matrix);
    return m && m->type == PEFT_I8;
}

/* Checks type and extents of a tensor of the file. type: its name in the format. */
static peft_status check_tensor(const pf_st_tensor *t, const char *type, int ndim, const int64_t *dims)
{
    char given[96], expected[96];
    if (strcmp(t->type_name, type))
        return pf_fail(PEFT_E_DTYPE, "tensor '%s': given %s, expected %s, as the file's matrices are stored as int8",
                       t->name, t->type_name, type);
    if (t->ndim == ndim && !memcmp(t->dim, dims, (size_t)ndim * sizeof *dims)) return PEFT_OK;
    return pf_fail(PEFT_E_FORMAT, "tensor '%s': given %s, expected %s", t->name,
                   pf_dims_text(given, sizeof given, t->ndim, t->dim),
                   pf_dims_text(expected, sizeof expected, ndim, dims));
}

/* PEFT_E_FORMAT: a scale is negative, NaN or too large. pieces: scales of a row. */
static peft_status check_scales(const pf_st_tensor *t, const float *scales, int64_t rows, int64_t pieces)
{
    for (int64_t i = 0; i < rows * pieces; i++)
        if (!pk_int8_is_scale(scales[i]))
            return pf_fail(PEFT_E_FORMAT, "tensor '%s': scale [%lld, %lld] is %g, expected a number from 0 to %g: the "
                           "file is damaged", t->name, (long long)(i / pieces), (long long)(i % pieces),
                           (double)scales[i], (double)PK_INT8_SCALE_MAX);
    return PEFT_OK;
}

/* The extents of a matrix of int8 and of its scales in a file. */
typedef struct extents { int64_t matrix[3], scales[2]; } extents;
static extents extents_of(int64_t rows, int64_t cols)
{
    return (extents){ { rows, pk_int8_whole_blocks(cols) / PK_INT8_BLOCK, PK_INT8_BLOCK },
                      { rows, pk_int8_pieces(cols).count } };
}

/* Checks a part with these extents, and finds its scales. */
static peft_status find_scales(pf_st *file, const pf_st_tensor *part, const extents *e, const pf_st_tensor **scales)
{
    char name[SCALE_NAME_MAX];
    PF_TRY(check_tensor(part, "I8", 3, e->matrix));
    snprintf(name, sizeof name, "%s" SCALE, part->name);
    *scales = pf_st_find(file, name);
    if (!*scales) return pf_fail(PEFT_E_FORMAT, "tensor '%s' is missing: the scales of '%s'", name, part->name);
    PF_TRY(check_tensor(*scales, "F32", 2, e->scales));
    PF_TRY(pf_st_fetch(file, part));
    return pf_st_fetch(file, *scales);
}

peft_status pf_int8_fill(peft_backbone *b, size_t i, const pf_st_tensor *const *part, int parts)
{
    peft_tensor *t = &b->weight[i].tensor;
    const extents e = extents_of(t->dim[0] / parts, t->dim[1]);          /* of a part */
    const pf_st_tensor *scales[3];
    for (int p = 0; p < parts; p++) PF_TRY(find_scales(b->file, part[p], &e, &scales[p]));
    const int64_t count = e.scales[0] * e.scales[1];
    t->scales = pf_alloc(b->ctx, (size_t)(count * parts) * sizeof *t->scales);
    if (!t->scales) return pf_nomem(b->weight[i].name, (size_t)(count * parts) * sizeof *t->scales);
    for (int p = 0; p < parts; p++) {
        float *to = t->scales + p * count;
        memcpy(to, scales[p]->data, scales[p]->bytes);
        PF_TRY(check_scales(scales[p], to, e.scales[0], e.scales[1]));
    }
    t->type = PEFT_I8;
    b->int8 = true;
    if (parts == 1) {
        t->data = (void *)(uintptr_t)part[0]->data;
        return PEFT_OK;
    }
    char *to = pf_backbone_alloc_data(b, i);
    if (!to) return PEFT_E_NOMEM;
    for (int p = 0; p < parts; to += part[p++]->bytes) memcpy(to, part[p]->data, part[p]->bytes);
    return PEFT_OK;
}

peft_status pf_int8_add(pf_st_out *o, const char *name, const peft_tensor *t)
{
    const extents e = extents_of(t->dim[0], t->dim[1]);
    char scale_name[SCALE_NAME_MAX];
    snprintf(scale_name, sizeof scale_name, "%s" SCALE, name);
    PF_TRY(pf_st_out_tensor(o, name, PEFT_I8, 3, e.matrix, t->data));
    return pf_st_out_tensor(o, scale_name, PEFT_F32, 2, e.scales, t->scales);
}
