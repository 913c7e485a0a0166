/* SPDX-License-Identifier: Apache-2.0
 * int8.c -- stores the matrices of a backbone's blocks as int8 (pk_weight) when it is loaded with weights=int8. */
#include "core/bits/finite.h"
#include "core/bits/weight_reader.h"
#include "core/options/glob.h"
#include "core/weights/backbone.h"
#include "kernels/ref/int8.h"

bool pf_is_int8_matrix(const char *name)
{
    static const char *const matrices[] = { "blocks.*.attn.qkv.weight", "blocks.*.attn.proj.weight",
                                            "blocks.*.mlp.fc1.weight", "blocks.*.mlp.fc2.weight" };
    for (size_t i = 0; i < sizeof matrices / sizeof *matrices; i++) if (pf_glob(matrices[i], name)) return true;
    return false;
}

/* The error for a row whose elements are finite, but not their sums in the transform. */
static peft_status too_large(const char *name)
{
    return pf_fail(PEFT_E_NONFINITE,
                   "tensor '%s' (in timm's naming): a row has elements too large to be stored as int8: "
                   "their sums in the Walsh-Hadamard transform exceed %g", name, 1016 * (double)PK_INT8_SCALE_MAX);
}

/* Stores the rows of `from` in bytes and scales. row: memory for one. PEFT_E_NONFINITE: a row holds NaN or Inf, or its
 * scale would be none. */
static peft_status store_rows(const pk_table *kernels, const char *name, const pk_weight *from, int8_t *bytes,
                              float *scales, pk_real *row)
{
    const int64_t stride = pk_int8_whole_blocks(from->cols), pieces = pk_int8_pieces(from->cols).count;
    for (int64_t i = 0; i < from->rows; i++) {
        const pk_real *x = pk_weight_read(kernels, from, i * from->cols, from->cols, row);
        if (!pf_finite(x, from->cols)) return pf_nonfinite_weight(name);
        kernels->quantise(bytes + i * stride, scales + i * pieces, x, from->cols);
        for (int64_t p = 0; p < pieces; p++) if (!pk_int8_is_scale(scales[i * pieces + p])) return too_large(name);
    }
    return PEFT_OK;
}

peft_status pf_backbone_store_int8(peft_backbone *b, size_t i)
{
    peft_tensor *t = &b->weight[i].tensor;
    const pk_weight from = pf_tensor_weight(t);
    const size_t bytes = (size_t)(from.rows * pk_int8_whole_blocks(from.cols));
    const size_t row = (size_t)from.cols * sizeof(pk_real);
    const size_t scales = (size_t)(from.rows * pk_int8_pieces(from.cols).count) * sizeof(float);
    int8_t *stored = pf_alloc(b->ctx, bytes);
    float *stored_scales = pf_alloc(b->ctx, scales);
    pk_real *buffer = pf_alloc(b->ctx, row);
    peft_status s = PEFT_OK;
    if (!stored || !stored_scales || !buffer) s = pf_nomem(b->weight[i].name, bytes + scales + row);
    else s = store_rows(b->ctx->kernels, b->weight[i].name, &from, stored, stored_scales, buffer);
    pf_free(b->ctx, buffer);
    if (s) {
        pf_free(b->ctx, stored);
        pf_free(b->ctx, stored_scales);
        return s;
    }
    if (t->owned) pf_free(b->ctx, t->data);
    t->type = PEFT_I8;
    t->data = stored;
    t->scales = stored_scales;
    t->owned = true;
    b->int8 = true;
    return PEFT_OK;
}
