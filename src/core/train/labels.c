/* SPDX-License-Identifier: Apache-2.0
 * labels.c -- checks that the labels of a batch suit the loss, and whether any of them has an effect. */
#include <math.h>
#include "core/train/trainer.h"

static peft_status check_classes(const peft_trainer *t, const peft_tensor *labels, int64_t n)
{
    char given[96];
    if (labels->type != PEFT_I64) return pf_fail(PEFT_E_DTYPE, "labels: given %s, expected i64",
                                                 pf_dtype_name(labels->type));
    if (labels->ndim != 1 || labels->dim[0] != n)
        return pf_fail(PEFT_E_SHAPE, "labels: given %s, expected [%lld]",
                       pf_dims_text(given, sizeof given, labels->ndim, labels->dim), (long long)n);
    for (int64_t i = 0; i < n; i++) {
        int64_t y = ((const int64_t *)labels->data)[i];
        if (y < 0 || y >= t->model->classes)
            return pf_fail(PEFT_E_INVALID, "labels[%lld]: given %lld, expected 0 to %lld", (long long)i, (long long)y,
                           (long long)t->model->classes - 1);
    }
    return PEFT_OK;
}

static double target_at(const peft_tensor *labels, int64_t i)
{
    return labels->type == PEFT_F64 ? ((const double *)labels->data)[i] : (double)((const float *)labels->data)[i];
}

/* Every entry lies in 0..1. For bce it may be -1 too; for soft_ce every row adds up to 1, within 1e-3, since callers
 * may have rounded the probabilities. */
static peft_status check_values(const peft_trainer *t, const peft_tensor *labels, int64_t n)
{
    const int64_t classes = t->model->classes;
    const bool soft = t->loss.kind == PF_LOSS_SOFT_CE;
    char given[32];
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        for (int64_t j = 0; j < classes; j++) {
            const double v = target_at(labels, i * classes + j);
            sum += v;
            if ((v >= 0 && v <= 1) || (v == -1 && !soft)) continue;
            pf_print_float(given, sizeof given, v);
            return pf_fail(PEFT_E_INVALID, "labels[%lld][%lld]: given %s, expected %s", (long long)i, (long long)j,
                           given, soft ? "0 to 1 (soft_ce takes a probability of each class)"
                                : "0 to 1, or -1 for a class that was not judged");
        }
        if (!soft || fabs(sum - 1) <= 1e-3) continue;
        pf_print_float(given, sizeof given, sum);
        return pf_fail(PEFT_E_INVALID, "labels[%lld]: its entries add up to %s, expected 1 (soft_ce takes a "
                       "probability of each class; several independent labels are for loss=bce)", (long long)i, given);
    }
    return PEFT_OK;
}

static peft_status check_targets(const peft_trainer *t, const peft_tensor *labels, int64_t n)
{
    char given[96];
    if (labels->type != PEFT_F32 && labels->type != PEFT_F64)
        return pf_fail(PEFT_E_DTYPE, "labels: given %s, expected f32 targets", pf_dtype_name(labels->type));
    if (labels->ndim != 2 || labels->dim[0] != n || labels->dim[1] != t->model->classes)
        return pf_fail(PEFT_E_SHAPE, "labels: given %s, expected [%lld, %lld]",
                       pf_dims_text(given, sizeof given, labels->ndim, labels->dim), (long long)n,
                       (long long)t->model->classes);
    return check_values(t, labels, n);
}

peft_status pf_labels_check(const peft_trainer *t, const peft_tensor *labels, int64_t n)
{
    if (!labels) return pf_fail(PEFT_E_INVALID, "labels is NULL: expected a tensor");
    return t->loss.kind == PF_LOSS_CE ? check_classes(t, labels, n) : check_targets(t, labels, n);
}

bool pf_labels_count(const peft_trainer *t, const peft_tensor *labels, int64_t n)
{
    const int64_t classes = t->model->classes;
    const pk_real *w = t->class_weights;
    if (t->loss.kind == PF_LOSS_CE) {
        for (int64_t i = 0; i < n; i++) if (!w || w[((const int64_t *)labels->data)[i]] > 0) return true;
        return false;
    }
    const bool soft = t->loss.kind == PF_LOSS_SOFT_CE;
    for (int64_t i = 0; i < n * classes; i++) {
        const double v = target_at(labels, i);
        if ((soft ? v > 0 : v >= 0) && (!w || w[i % classes] > 0)) return true;
    }
    return false;
}
