/* SPDX-License-Identifier: Apache-2.0
 * labels.c -- reads a batch's labels row by row, and checks their values. */
#include "core/graph/loss/labels.h"
#include <stdio.h>
#include "core/options/options.h"

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
