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
            PF_TRY(pf_target_in_range_or_unjudged(l, i, j, "0 to 1, or -1 for a class that was not judged"));
    return PEFT_OK;
}

/* Is there a judged entry whose class has a weight above 0? */
static bool depends_on_labels(const pf_loss *loss, const pf_labels *l)
{
    for (int64_t i = 0; i < l->rows; i++)
        for (int64_t j = 0; j < l->classes; j++)
            if (pf_label_target(l, i, j) >= 0 && pf_class_weight(loss->class_weights, j) > 0) return true;
    return false;
}

typedef enum { MEAN_OVER_CLASSES, SUM_OVER_CLASSES } reduction;        /* bce, bce_sum */

/* The number by which the sum is divided: of judged entries, for the mean over classes; of rows that have a judged
 * entry, for the sum over classes. */
static int64_t count_judged(const pk_real *targets, int64_t rows, int64_t classes, reduction over_classes)
{
    int64_t count = 0;
    for (int64_t i = 0; i < rows; i++, targets += classes) {
        int64_t in_row = 0;
        for (int64_t j = 0; j < classes; j++) in_row += targets[j] >= 0;
        count += over_classes == SUM_OVER_CLASSES ? in_row > 0 : in_row;
    }
    return count;
}

static double evaluate(const pf_loss *o, const pf_loss_rows *r, reduction over_classes, pk_real *grad)
{
    const int64_t rows = r->rows, classes = r->classes, ld = r->ld;
    const pk_real *logits = r->logits, *targets = r->targets;
    const int64_t count = count_judged(targets, rows, classes, over_classes);
    const double scale = count ? 1 / (double)count : 0;
    double total = 0;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < classes; j++) {
            const double x = (double)logits[i * ld + j], t = (double)targets[i * classes + j];
            if (t < 0) {
                if (grad) grad[i * ld + j] = 0;
                continue;
            }
            const double w = pf_class_weight(o->class_weights, j);
            const double pos = pf_class_weight(o->pos_weight, j) * t, neg = 1 - t;    /* weights of the two terms */
            /* softplus(x) = log(1 + e^x) = max(x, 0) + log(1 + e^-|x|), without overflow */
            const double e = exp(-fabs(x)), log_part = log1p(e);
            total += w * (pos * (fmax(-x, 0) + log_part) + neg * (fmax(x, 0) + log_part));
            if (!grad) continue;
            /* sigmoid(x) and sigmoid(-x), without overflow */
            const double sig_pos = (x >= 0 ? 1 : e) / (1 + e), sig_neg = (x >= 0 ? e : 1) / (1 + e);
            grad[i * ld + j] = (pk_real)(scale * w * (neg * sig_pos - pos * sig_neg));
        }
    return total * scale;
}

static double evaluate_mean(const pf_loss *o, const pf_loss_rows *r, pk_real *grad)
{
    return evaluate(o, r, MEAN_OVER_CLASSES, grad);
}

static double evaluate_sum(const pf_loss *o, const pf_loss_rows *r, pk_real *grad)
{
    return evaluate(o, r, SUM_OVER_CLASSES, grad);
}

const pf_loss_kind pf_loss_bce = { .name = "bce", .labels = PF_LABEL_TARGETS, .options = "class_weights pos_weight",
    .min_classes = 1, .check = check, .depends_on_labels = depends_on_labels, .evaluate = evaluate_mean };
const pf_loss_kind pf_loss_bce_sum = { .name = "bce_sum", .labels = PF_LABEL_TARGETS,
    .options = "class_weights pos_weight", .min_classes = 1, .check = check, .depends_on_labels = depends_on_labels,
    .evaluate = evaluate_sum };
