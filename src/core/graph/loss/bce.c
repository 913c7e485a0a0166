/* SPDX-License-Identifier: Apache-2.0
 * bce.c -- binary cross entropy with logits. bce is the mean over rows and classes; bce_sum is the sum over classes and
 * the mean over rows. Targets are 0 to 1, or -1 if the class was not judged. Such an entry has no loss and no gradient
 * and does not count in the mean: with 3 judged entries of 8 the sum is divided by 3. Without any judged entry value
 * and gradient are 0. */
#include "core/graph/loss/loss_math.h"

static peft_status check(const pf_labels *l)
{
    for (int64_t i = 0; i < l->rows; i++)
        for (int64_t j = 0; j < l->classes; j++)
            PF_TRY(pf_label_in_range(l, i, j, true, "0 to 1, or -1 for a class that was not judged"));
    return PEFT_OK;
}

static bool counts(const pf_loss *loss, const pf_labels *l)
{
    for (int64_t i = 0; i < l->rows; i++)
        for (int64_t j = 0; j < l->classes; j++)
            if (pf_label_target(l, i, j) >= 0 && pf_at(loss->class_weights, j) > 0) return true;
    return false;
}

/* The divisor of the mean: the number of judged entries; with sum_classes, of rows that have such an entry. */
static int64_t count_judged(const pk_real *targets, int64_t rows, int64_t classes, bool sum_classes)
{
    int64_t count = 0;
    for (int64_t i = 0; i < rows; i++, targets += classes) {
        int64_t in_row = 0;
        for (int64_t j = 0; j < classes; j++) in_row += targets[j] >= 0;
        count += sum_classes ? in_row > 0 : in_row;
    }
    return count;
}

static double evaluate(const pf_loss *o, const pf_loss_rows *r, bool sum_classes, pk_real *grad)
{
    const int64_t rows = r->rows, classes = r->classes, ld = r->ld;
    const pk_real *logits = r->logits, *targets = r->targets;
    const int64_t count = count_judged(targets, rows, classes, sum_classes);
    const double scale = count ? 1 / (double)count : 0;
    double total = 0;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < classes; j++) {
            const double x = (double)logits[i * ld + j], t = (double)targets[i * classes + j];
            if (t < 0) {
                if (grad) grad[i * ld + j] = 0;
                continue;
            }
            const double w = pf_at(o->class_weights, j), pos = pf_at(o->pos_weight, j) * t, neg = 1 - t;
            const double e = exp(-fabs(x)), tail = log1p(e);         /* e^-|x|; softplus(+-x) = max(+-x, 0) + tail */
            total += w * (pos * (fmax(-x, 0) + tail) + neg * (fmax(x, 0) + tail));
            if (!grad) continue;
            /* sigmoid(x) and sigmoid(-x), without overflow */
            const double sig_pos = (x >= 0 ? 1 : e) / (1 + e), sig_neg = (x >= 0 ? e : 1) / (1 + e);
            grad[i * ld + j] = (pk_real)(scale * w * (neg * sig_pos - pos * sig_neg));
        }
    return total * scale;
}

static double mean(const pf_loss *o, const pf_loss_rows *r, pk_real *grad) { return evaluate(o, r, false, grad); }
static double sum(const pf_loss *o, const pf_loss_rows *r, pk_real *grad) { return evaluate(o, r, true, grad); }

const pf_loss_kind pf_loss_bce = { .name = "bce", .labels = PF_LABEL_TARGETS, .options = "class_weights pos_weight",
    .min_classes = 1, .check = check, .counts = counts, .evaluate = mean };
const pf_loss_kind pf_loss_bce_sum = { .name = "bce_sum", .labels = PF_LABEL_TARGETS,
    .options = "class_weights pos_weight", .min_classes = 1, .check = check, .counts = counts, .evaluate = sum };
