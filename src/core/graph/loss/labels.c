/* SPDX-License-Identifier: Apache-2.0
 * labels.c -- checks a batch's labels against the shape of the model's output; reads them row by row. */
#include "core/graph/loss/loss.h"
#include <stdio.h>
#include <string.h>
#include "core/options/options.h"

/* By pf_label_kind. */
static const char *const type_of[] = { "i64", "f32" }, *const meaning_of[] = { "numbers of classes",
                                                                               "values for each class" };

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
                   pf_dims_text(given, sizeof given, labels->ndim, labels->dim), type_of[kind],
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

int64_t pf_label_class(const pf_labels *l, int64_t row) { return ((const int64_t *)l->tensor->data)[row]; }

double pf_label_target(const pf_labels *l, int64_t row, int64_t c)
{
    const int64_t i = row * l->classes + c;
    const peft_tensor *t = l->tensor;
    return t->type == PEFT_F64 ? ((const double *)t->data)[i] : (double)((const float *)t->data)[i];
}

/* Row 9 of maps of 2 x 3 pixels is sample 1, pixel 3: "labels[1][1][0]". */
const char *pf_label_place(const pf_labels *l, int64_t row, char text[PF_LABEL_TEXT])
{
    const int64_t *dim = l->tensor->dim, n = dim[0];
    if (l->rows == n || !n) snprintf(text, PF_LABEL_TEXT, "labels[%lld]", (long long)row);
    else {
        const int64_t pixels = l->rows / n, pixel = row % pixels;
        snprintf(text, PF_LABEL_TEXT, "labels[%lld][%lld][%lld]", (long long)(row / pixels),
                 (long long)(pixel / dim[2]), (long long)(pixel % dim[2]));
    }
    return text;
}

peft_status pf_labels_are_classes(const pf_labels *l, const int64_t *ignored)
{
    char place[PF_LABEL_TEXT], others[64] = "";
    for (int64_t i = 0; i < l->rows; i++) {
        const int64_t y = pf_label_class(l, i);
        if ((y >= 0 && y < l->classes) || (ignored && y == *ignored)) continue;
        if (ignored) snprintf(others, sizeof others, ", or %lld (ignore_index)", (long long)*ignored);
        return pf_fail(PEFT_E_INVALID, "%s: given %lld, expected 0 to %lld%s%s", pf_label_place(l, i, place),
                       (long long)y, (long long)l->classes - 1, others,
                       l->tensor->ndim > 1 && !ignored ? "; option ignore_index names a label that is left out" : "");
    }
    return PEFT_OK;
}

peft_status pf_target_in_range(const pf_labels *l, int64_t row, int64_t c, const char *expected)
{
    const double v = pf_label_target(l, row, c);
    char given[32], place[PF_LABEL_TEXT];
    if (v >= 0 && v <= 1) return PEFT_OK;
    pf_print_float(given, sizeof given, v);
    return pf_fail(PEFT_E_INVALID, "%s[%lld]: given %s, expected %s", pf_label_place(l, row, place), (long long)c,
                   given, expected);
}

peft_status pf_target_in_range_or_unjudged(const pf_labels *l, int64_t row, int64_t c, const char *expected)
{
    return pf_label_target(l, row, c) == -1 ? PEFT_OK : pf_target_in_range(l, row, c, expected);
}
