/* SPDX-License-Identifier: Apache-2.0
 * call.c -- checks that the tensors of a call have the types and extents that the model needs. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "core/bits/finite.h"
#include "core/train/session/compiled.h"

peft_status pf_check_images(const peft_model *m, const peft_tensor *images, int64_t batch, int64_t *n)
{
    const pf_grid image = m->backbone->shape.image;
    char given[96];
    if (!images) return pf_fail(PEFT_E_INVALID, "images is NULL: expected a tensor");
    if (images->type != PEFT_F32 && images->type != PEFT_F64)               /* f64 is converted */
        return pf_fail(PEFT_E_DTYPE, "images: given %s, expected f32", pf_dtype_name(images->type));
    if (images->ndim != 4 || images->dim[0] < 1 || images->dim[0] > batch || images->dim[1] != 3
        || images->dim[2] != image.h || images->dim[3] != image.w)
        return pf_fail(PEFT_E_SHAPE, "images: given %s, expected [1..%lld, 3, %lld, %lld]",
                       pf_dims_text(given, sizeof given, images->ndim, images->dim), (long long)batch,
                       (long long)image.h, (long long)image.w);
    *n = images->dim[0];
    return PEFT_OK;
}

peft_status pf_check_samples(const pf_shape *sample, const char *name, const peft_tensor *x, int64_t n)
{
    int64_t dims[1 + PF_MAX_RANK];
    char given[96], expected[96];
    if (!x) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a tensor", name);
    if (x->type != PF_REAL)
        return pf_fail(PEFT_E_DTYPE, "%s: given %s, expected %s", name, pf_dtype_name(x->type),
                       pf_dtype_name(PF_REAL));
    dims[0] = n;
    memcpy(dims + 1, sample->dim, (size_t)sample->ndim * sizeof *dims);
    if (x->ndim != 1 + sample->ndim || memcmp(x->dim, dims, (size_t)x->ndim * sizeof *dims))
        return pf_fail(PEFT_E_SHAPE, "%s: given %s, expected %s", name,
                       pf_dims_text(given, sizeof given, x->ndim, x->dim),
                       pf_dims_text(expected, sizeof expected, 1 + sample->ndim, dims));
    return PEFT_OK;
}

peft_status pf_check_result(const pf_shape *sample, const peft_tensor *out, int64_t n)
{
    return pf_check_samples(sample, "the result tensor", out, n);
}

peft_status pf_check_pixels(const pk_real *images, int64_t image, const int64_t *ids, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        if (pf_finite(images + i * image, image)) continue;
        char id[40] = "";
        if (ids && ids[i] >= 0) snprintf(id, sizeof id, " (sample id %lld)", (long long)ids[i]);
        return pf_fail(PEFT_E_NONFINITE, "images: sample %lld of the batch%s holds NaN or Inf; nothing was computed",
                       (long long)i, id);
    }
    return PEFT_OK;
}

peft_status pf_check_finite(const pk_real *x, int64_t n, int64_t per_image, const char *name, int64_t width)
{
    for (int64_t i = 0; i < n * per_image; i++)
        if (!isfinite(x[i]))
            return pf_fail(PEFT_E_NONFINITE, "image %lld of the call, counted from 0: the %s %lld is %g; "
                           "look for NaN or Inf in the image's pixels, else in the model's parameters",
                           (long long)(i / per_image), name, (long long)(i % width), (double)x[i]);
    return PEFT_OK;
}

const void *pf_as_real(const peft_tensor *x, pk_real *buffer)
{
    if (x->type == PF_REAL) return x->data;
    pf_to_real(buffer, x->data, x->type, peft_tensor_count(x));
    return buffer;
}
