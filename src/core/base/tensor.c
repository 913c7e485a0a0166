/* SPDX-License-Identifier: Apache-2.0
 * tensor.c -- the public tensors: an element type, extents, and data that is owned or borrowed. */
#include "core/base/tensor.h"
#include <stdio.h>
#include <string.h>
#include "kernels/ref/int8.h"

static const struct { const char *name; size_t size; } types[] = {
    [PEFT_F32] = { "f32", 4 }, [PEFT_BF16] = { "bf16", 2 }, [PEFT_F16] = { "f16", 2 }, [PEFT_I32] = { "i32", 4 },
    [PEFT_I64] = { "i64", 8 }, [PEFT_U8] = { "u8", 1 },     [PEFT_F64] = { "f64", 8 }, [PEFT_U16] = { "u16", 2 },
    [PEFT_I16] = { "i16", 2 }, [PEFT_I8] = { "i8", 1 } };
#define LARGEST_TYPE 8                            /* bytes of an element of the largest type */

/* Whether t is one of the table's types: an application can pass any number. */
static bool is_dtype(peft_dtype t) { return (unsigned)t < sizeof types / sizeof *types && types[t].name; }
size_t      pf_dtype_size(peft_dtype t) { return is_dtype(t) ? types[t].size : 0; }
const char *pf_dtype_name(peft_dtype t) { return is_dtype(t) ? types[t].name : "unknown"; }

int64_t pf_dims_count(int ndim, const int64_t *dims)
{
    int64_t count = 1;
    for (int i = 0; i < ndim; i++) {
        if (dims[i] < 0 || (dims[i] && count > INT64_MAX / LARGEST_TYPE / dims[i])) return -1;
        count *= dims[i];
    }
    return count;
}

size_t pf_tensor_bytes(const peft_tensor *t)
{
    if (t->scales) return (size_t)(t->dim[0] * pk_int8_whole_blocks(t->dim[1]));
    return (size_t)pf_dims_count(t->ndim, t->dim) * pf_dtype_size(t->type);
}

const char *pf_dims_text(char *text, size_t capacity, int ndim, const int64_t *dims)
{
    size_t n = (size_t)snprintf(text, capacity, "[");
    for (int i = 0; i < ndim && n < capacity; i++)
        n += (size_t)snprintf(text + n, capacity - n, "%s%lld", i ? ", " : "", (long long)dims[i]);
    if (n < capacity) snprintf(text + n, capacity - n, "]");
    return text;
}

/* Checks the arguments of peft_tensor_create and peft_tensor_wrap (who); *bytes is the size of the data. */
static peft_status check_arguments(const char *who, peft_context *ctx, peft_dtype type, int ndim, const int64_t *dims,
                                   peft_tensor **out, size_t *bytes)
{
    char text[256];
    if (!ctx || !out) return pf_fail(PEFT_E_INVALID, "%s: %s is NULL", who, ctx ? "out" : "ctx");
    if (!is_dtype(type))
        return pf_fail(PEFT_E_DTYPE, "%s: type is %d; expected a peft_dtype, 1 to %d", who, (int)type, (int)PEFT_I8);
    if (ndim < 0 || ndim > PEFT_MAX_DIMS)
        return pf_fail(PEFT_E_SHAPE, "%s: ndim is %d; expected 0 to %d", who, ndim, PEFT_MAX_DIMS);
    if (ndim && !dims) return pf_fail(PEFT_E_INVALID, "%s: dims is NULL and ndim is %d", who, ndim);
    int64_t count = pf_dims_count(ndim, dims);
    if (count < 0 || !pf_mul_size((size_t)count, types[type].size, bytes))
        return pf_fail(PEFT_E_SHAPE, "%s: dims are %s; expected extents >= 0 whose product does not overflow", who,
                       pf_dims_text(text, sizeof text, ndim, dims));
    return PEFT_OK;
}

/* Makes a tensor whose data the caller sets. */
static peft_tensor *make_tensor(peft_context *ctx, peft_dtype type, int ndim, const int64_t *dims)
{
    peft_tensor *t = pf_alloc_zero(ctx, sizeof *t);
    if (!t) return NULL;
    t->ctx = pf_context_retain(ctx);
    t->type = type;
    t->ndim = ndim;
    if (ndim) memcpy(t->dim, dims, (size_t)ndim * sizeof *dims);
    return t;
}

peft_status peft_tensor_create(peft_context *ctx, peft_dtype type, int ndim, const int64_t *dims, peft_tensor **out)
{
    size_t bytes;
    PF_TRY(check_arguments("peft_tensor_create", ctx, type, ndim, dims, out, &bytes));
    peft_tensor *t = make_tensor(ctx, type, ndim, dims);
    if (!t) return pf_nomem("tensor", sizeof *t);
    t->owned = true;
    t->data = pf_alloc_zero(ctx, bytes);
    if (!t->data) {
        peft_tensor_free(t);
        return pf_nomem("tensor data", bytes);
    }
    *out = t;
    return PEFT_OK;
}

peft_status peft_tensor_wrap(peft_context *ctx, peft_dtype type, int ndim, const int64_t *dims, void *data,
                             peft_tensor **out)
{
    size_t bytes;
    PF_TRY(check_arguments("peft_tensor_wrap", ctx, type, ndim, dims, out, &bytes));
    if (!data && bytes) return pf_fail(PEFT_E_INVALID, "peft_tensor_wrap: data is NULL; expected %zu bytes", bytes);
    peft_tensor *t = make_tensor(ctx, type, ndim, dims);
    if (!t) return pf_nomem("tensor", sizeof *t);
    t->data = data;
    *out = t;
    return PEFT_OK;
}

void peft_tensor_free(peft_tensor *t)
{
    if (!t) return;
    peft_context *ctx = t->ctx;
    if (t->owned) pf_free(ctx, t->data);
    pf_free(ctx, t);
    peft_context_free(ctx);
}

int64_t peft_tensor_dim(const peft_tensor *t, int axis)
{
    return t && axis >= 0 && axis < t->ndim ? t->dim[axis] : -1;
}

peft_dtype  peft_tensor_dtype(const peft_tensor *t) { return t ? t->type : (peft_dtype)0; }
int         peft_tensor_ndim(const peft_tensor *t) { return t ? t->ndim : 0; }
int64_t     peft_tensor_count(const peft_tensor *t) { return t ? pf_dims_count(t->ndim, t->dim) : 0; }
void       *peft_tensor_data(peft_tensor *t) { return t ? t->data : NULL; }
const void *peft_tensor_cdata(const peft_tensor *t) { return t ? t->data : NULL; }

peft_status peft_tensor_copy_from(peft_tensor *t, const void *src, size_t bytes)
{
    char text[256];
    if (!t) return pf_fail(PEFT_E_INVALID, "peft_tensor_copy_from: t is NULL");
    size_t expected = pf_tensor_bytes(t);
    if (bytes != expected)
        return pf_fail(PEFT_E_SHAPE, "peft_tensor_copy_from: bytes is %zu; expected %zu for %s %s", bytes, expected,
                       pf_dtype_name(t->type), pf_dims_text(text, sizeof text, t->ndim, t->dim));
    if (!src && bytes) return pf_fail(PEFT_E_INVALID, "peft_tensor_copy_from: src is NULL; expected %zu bytes", bytes);
    if (bytes) memmove(t->data, src, bytes);
    return PEFT_OK;
}
