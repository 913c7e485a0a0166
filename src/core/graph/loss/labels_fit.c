/* SPDX-License-Identifier: Apache-2.0
 * labels_fit.c -- checks type and shape of a batch's labels against the loss and the shape of the model's output. */
#include "core/graph/loss/loss.h"
#include <stdio.h>
#include <string.h>
#include "core/options/options.h"

/* By pf_label_kind. */
static const char *const types_of[] = { "i64", "f32 or f64" };
static const char *const meaning_of[] = { "class numbers", "values for each class" };

static bool type_fits(pf_label_kind kind, peft_dtype type)
{
    return kind == PF_LABEL_CLASS ? type == PEFT_I64 : type == PEFT_F32 || type == PEFT_F64;
}

/* dims [n]: the expected extents. Labels of the other kind are those of other losses, which the message names. */
static peft_status refuse_type(pf_label_kind kind, const peft_tensor *labels, const int64_t *dims, int n)
{
    const pf_label_kind other = kind == PF_LABEL_CLASS ? PF_LABEL_TARGETS : PF_LABEL_CLASS;
    char given[96], expected[96], losses[160], cure[224] = "";
    if (type_fits(other, labels->type))
        snprintf(cure, sizeof cure, "; %s are for loss=%s", meaning_of[other],
                 pf_loss_names_for(other, losses, sizeof losses));
    return pf_fail(PEFT_E_DTYPE, "labels: given %s %s, expected %s %s, %s%s", pf_dtype_name(labels->type),
                   pf_dims_text(given, sizeof given, labels->ndim, labels->dim), types_of[kind],
                   pf_dims_text(expected, sizeof expected, n, dims), meaning_of[kind], cure);
}

peft_status pf_labels_fit(pf_labels *l, pf_label_kind kind, const peft_tensor *labels, int64_t n, const pf_shape *out)
{
    const int extents = kind == PF_LABEL_CLASS ? out->ndim - 1 : out->ndim;      /* of one sample's labels */
    int64_t dims[1 + PF_MAX_RANK] = { n };
    char given[96], expected[96];
    if (!labels) return pf_fail(PEFT_E_INVALID, "labels is NULL: expected a tensor");
    memcpy(dims + 1, out->dim, (size_t)extents * sizeof *dims);
    if (!type_fits(kind, labels->type)) return refuse_type(kind, labels, dims, 1 + extents);
    if (labels->ndim != 1 + extents || memcmp(labels->dim, dims, (size_t)(1 + extents) * sizeof *dims))
        return pf_fail(PEFT_E_SHAPE, "labels: given %s, expected %s%s",
                       pf_dims_text(given, sizeof given, labels->ndim, labels->dim),
                       pf_dims_text(expected, sizeof expected, 1 + extents, dims),
                       out->ndim == 1 ? "" : kind == PF_LABEL_CLASS
                       ? " (the model's output is a map: a class for each of its pixels)"
                       : " (the model's output is a map: a value for each class of each of its pixels)");
    l->tensor = labels;
    l->classes = out->dim[out->ndim - 1];
    l->rows = n * pf_shape_count(out) / l->classes;
    return PEFT_OK;
}
