/* SPDX-License-Identifier: Apache-2.0
 * test_loss.c -- the losses (ce, focal, soft_ce, bce, bce_sum): values against closed forms, gradients of every row of
 * losses.def against finite differences, class weights, label smoothing, entries without a label, huge logits. */
#include "suite.h"
#include <float.h>
#include <math.h>
#include "loss/loss_rows.h"

/* Rows of logits are LD elements apart: CLASSES of them, and a gap. */
enum { ROWS = 5, CLASSES = 4, LD = 6, N = ROWS * LD };

/* Float logits have 24 significant bits, so the step of the differences is larger and the tolerance wider. */
#ifdef PF_REAL_DOUBLE
static const double step = 1.0 / 1024, tolerance = 1e-9;
#else
static const double step = 1.0 / 64, tolerance = 2e-6;
#endif

static const int64_t labels[ROWS] = { 1, 3, 3, 0, 2 };
static const pk_real weight[CLASSES] = { (pk_real)0.5, 2, (pk_real)1.25, 3 };
static const pk_real pos_weight[CLASSES] = { 3, 1, (pk_real)0.25, 2 };
static pk_real logits[N], targets[ROWS * CLASSES];

/* Fills logits and targets. */
static void fill(void)
{
    /* values that are exact in float, also after the steps of the differences */
    for (int i = 0; i < N; i++) logits[i] = (pk_real)((i * 37 % 41) / 8.0 - 2.5);
    for (int i = 0; i < ROWS * CLASSES; i++) targets[i] = (pk_real)((i * 7 % 5) / 4.0);
}

/* Evaluates a loss of the logits x [rows, classes], whose rows are ld elements apart, with class labels y or targets t.
 * grad NULL: the value only. */
static double cross_entropy(const pk_real *x, int64_t ld, const int64_t *y, int64_t rows, int64_t classes,
                            const pf_loss *o, pk_real *grad)
{
    return loss_of(&pf_loss_ce, o, (pf_loss_rows){ x, ld, rows, classes, .labels = y }, grad);
}
static double soft_cross_entropy(const pk_real *x, int64_t ld, const pk_real *t, int64_t rows, int64_t classes,
                                 const pf_loss *o, pk_real *grad)
{
    return loss_of(&pf_loss_soft_ce, o, (pf_loss_rows){ x, ld, rows, classes, .targets = t }, grad);
}
static double binary_cross_entropy(const pk_real *x, int64_t ld, const pk_real *t, int64_t rows, int64_t classes,
                                   const pf_loss *o, pk_real *grad)
{
    return loss_of(o->kind, o, (pf_loss_rows){ x, ld, rows, classes, .targets = t }, grad);
}

/* The losses of `logits`, with `labels` or `targets`. */
typedef double (*loss_fn)(const pf_loss *options, pk_real *grad);
static double ce(const pf_loss *o, pk_real *grad) { return cross_entropy(logits, LD, labels, ROWS, CLASSES, o, grad); }
static double soft(const pf_loss *o, pk_real *grad)
{
    return soft_cross_entropy(logits, LD, targets, ROWS, CLASSES, o, grad);
}
static double bce(const pf_loss *o, pk_real *grad)
{
    return binary_cross_entropy(logits, LD, targets, ROWS, CLASSES, o, grad);
}

/* Compares the gradient with a five-point difference for every logit; the gap after each row must be unchanged. */
static void check_gradient(loss_fn f, const pf_loss *options)
{
    enum { UNWRITTEN = 77 };
    pk_real grad[N];
    fill();
    for (int i = 0; i < N; i++) grad[i] = UNWRITTEN;
    ck_assert(f(options, grad) == f(options, NULL));
    for (int i = 0; i < N; i++) {
        if (i % LD >= CLASSES) { ck_assert(grad[i] == UNWRITTEN); continue; }
        const pk_real x = logits[i];
        double v[5];
        for (int k = -2; k <= 2; k++) {
            logits[i] = x + (pk_real)(k * step);
            v[k + 2] = f(options, NULL);
        }
        logits[i] = x;
        const double want = (v[0] - 8 * v[1] + 8 * v[3] - v[4]) / (12 * step);
        ck_assert_msg(fabs((double)grad[i] - want) < tolerance,
                      "%s, gradient of logit %d is %.12g, finite difference %.12g",
                      options->kind ? options->kind->name : "", i, (double)grad[i], want);
    }
}

START_TEST(cross_entropy_gradients)
{
    const pf_loss all[] = { { 0 }, { .label_smoothing = 0.1 }, { .class_weights = weight },
                            { .class_weights = weight, .by_batch = true },
                            { .label_smoothing = 0.3, .class_weights = weight }, { .label_smoothing = 1 } };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) check_gradient(ce, &all[i]);
}
END_TEST

START_TEST(soft_cross_entropy_gradients)
{
    const pf_loss all[] = { { 0 }, { .label_smoothing = 0.1 }, { .class_weights = weight },
                            { .class_weights = weight, .by_batch = true },
                            { .label_smoothing = 0.3, .class_weights = weight }, { .label_smoothing = 1 } };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) check_gradient(soft, &all[i]);
}
END_TEST

/* A one-hot target gives the loss of its label; a target of two halves gives the mean of both labels' losses. */
START_TEST(one_hot_targets_equal_class_labels)
{
    const pf_loss all[] = { { 0 }, { .label_smoothing = 0.1 }, { .class_weights = weight },
                            { .class_weights = weight, .by_batch = true } };
    pk_real grad[N], expected[N];
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        fill();
        for (int k = 0; k < ROWS * CLASSES; k++) targets[k] = labels[k / CLASSES] == k % CLASSES;
        ck_assert_double_eq_tol(soft(&all[i], grad), ce(&all[i], expected), 1e-14);
        for (int k = 0; k < N; k++)
            if (k % LD < CLASSES) ck_assert_double_eq_tol((double)grad[k], (double)expected[k], 1e-7);
    }
    const pk_real x[3] = { 1, 2, 4 }, half[3] = { (pk_real)0.5, 0, (pk_real)0.5 };
    const pf_loss plain = { 0 };
    const double both = cross_entropy(x, 3, (int64_t[]){ 0 }, 1, 3, &plain, NULL)
                      + cross_entropy(x, 3, (int64_t[]){ 2 }, 1, 3, &plain, NULL);
    ck_assert_double_eq_tol(soft_cross_entropy(x, 3, half, 1, 3, &plain, NULL), both / 2, 1e-14);
}
END_TEST

START_TEST(binary_cross_entropy_gradients)
{
    const pf_loss all[] = { { .kind = &pf_loss_bce }, { .kind = &pf_loss_bce_sum },
                            { .kind = &pf_loss_bce, .pos_weight = pos_weight },
                            { .kind = &pf_loss_bce, .class_weights = weight },
                            { .kind = &pf_loss_bce_sum, .pos_weight = pos_weight, .class_weights = weight } };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) check_gradient(bce, &all[i]);
}
END_TEST

/* --- every row of the table -------------------------------------------------------------------- */
/* The names of all options of losses (losses.def), and their indices OPTION_name. */
static const char *const option_names[] = {
#define PF_LOSS_NUMBER(name, fallback, lo, hi, help) #name,
#define PF_LOSS_FLAG(name, fallback, help) #name,
#define PF_LOSS_LIST(name, help) #name,
#include "core/graph/loss/losses.def"
    "weight_reduction", "ignore_index" };
enum {
#define PF_LOSS_NUMBER(name, fallback, lo, hi, help) OPTION_##name,
#define PF_LOSS_FLAG(name, fallback, help) OPTION_##name,
#define PF_LOSS_LIST(name, help) OPTION_##name,
#include "core/graph/loss/losses.def"
    OPTION_weight_reduction, OPTION_ignore_index, OPTIONS };

/* A loss of kind `kind`. Bit OPTION_x of changed: option x has another value than its default. A list gets one of two
 * arrays, a number a value in the lower third of lo .. hi. */
static pf_loss with_options(const pf_loss_kind *kind, unsigned changed)
{
    const pk_real *const list[2] = { weight, pos_weight };
    pf_loss o = { .kind = kind };
    const bool other_reduction = changed >> OPTION_weight_reduction & 1;
    o.by_batch = other_reduction ? !kind->auto_by_batch : kind->auto_by_batch;
    o.ignores = changed >> OPTION_ignore_index & 1;
    o.ignore_index = labels[1];
#define PF_LOSS_NUMBER(name, fallback, lo, hi, help) \
    o.name = changed >> OPTION_##name & 1 ? (lo) + 0.3 * fmin((hi) - (lo), 4) : strtod(fallback, NULL);
#define PF_LOSS_FLAG(name, fallback, help) \
    o.name = (changed >> OPTION_##name & 1) != !strcmp(fallback, "true");
#define PF_LOSS_LIST(name, help) if (changed >> OPTION_##name & 1) o.name = list[OPTION_##name % 2];
#include "core/graph/loss/losses.def"
    return o;
}

/* Evaluates the loss with labels of its type: class numbers, or distributions over the classes, which all losses with
 * targets accept. */
static double evaluate_row(const pf_loss *o, pk_real *grad)
{
    static const pk_real distributions[ROWS * CLASSES] = {
        (pk_real)0.5, (pk_real)0.25, (pk_real)0.125, (pk_real)0.125,  1, 0, 0, 0,  0, (pk_real)0.75, (pk_real)0.25, 0,
        (pk_real)0.25, (pk_real)0.25, (pk_real)0.25, (pk_real)0.25,  0, (pk_real)0.5, 0, (pk_real)0.5 };
    const bool classes = o->kind->labels == PF_LABEL_CLASS;
    return loss_of(o->kind, o, (pf_loss_rows){ logits, LD, ROWS, CLASSES, .labels = classes ? labels : NULL,
                                               .targets = classes ? NULL : distributions }, grad);
}

/* Each row of losses.def with every combination of the options that it reads. */
START_TEST(every_row_and_option_has_the_right_gradient)
{
    for (size_t i = 0; pf_losses[i]; i++) {
        unsigned reads = 0;
        for (int k = 0; k < OPTIONS; k++) if (pf_loss_reads(pf_losses[i], option_names[k])) reads |= 1u << k;
        for (unsigned changed = 0; changed < 1u << OPTIONS; changed++) {
            if (changed & ~reads) continue;
            const pf_loss o = with_options(pf_losses[i], changed);
            check_gradient(evaluate_row, &o);
        }
    }
}
END_TEST

/* Targets below 0 mark entries without a label: the loss is the mean over the other entries, their gradient is 0. */
START_TEST(entries_without_a_label_are_left_out)
{
    const pf_loss all[] = { { .kind = &pf_loss_bce }, { .kind = &pf_loss_bce_sum },
                            { .kind = &pf_loss_bce, .pos_weight = pos_weight, .class_weights = weight } };
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
        pk_real grad[N];
        double total = 0;
        int entries = 0, rows = 0;
        fill();
        for (int i = 0; i < ROWS * CLASSES; i++) if (i % 3 == 0 || i / CLASSES == 2) targets[i] = -1;
        for (int i = 0; i < ROWS; i++) {
            int labelled = 0;
            for (int j = 0; j < CLASSES; j++) {
                const double x = (double)logits[i * LD + j], t = (double)targets[i * CLASSES + j];
                if (t < 0) continue;
                labelled++;
                total += (all[k].class_weights ? (double)weight[j] : 1) *
                    ((all[k].pos_weight ? (double)pos_weight[j] : 1) * t * log1p(exp(-x)) + (1 - t) * log1p(exp(x)));
            }
            entries += labelled;
            rows += labelled > 0;
        }
        ck_assert_double_eq_tol(bce(&all[k], grad), total / (all[k].kind == &pf_loss_bce_sum ? rows : entries), 1e-12);
        for (int i = 0; i < ROWS * CLASSES; i++)
            if (targets[i] < 0) ck_assert(grad[i / CLASSES * LD + i % CLASSES] == 0);
    }
    const pk_real x[2] = { 1, -1 }, none[2] = { -1, -1 };
    pk_real grad[2] = { 7, 7 };
    ck_assert(binary_cross_entropy(x, 2, none, 1, 2, &all[0], grad) == 0 && grad[0] == 0 && grad[1] == 0);
}
END_TEST

START_TEST(losses_equal_closed_forms)
{
    const pk_real flat[2 * 3] = { 1, 1, 1, -4, -4, -4 };
    const int64_t y[2] = { 0, 2 };
    pk_real grad[6];
    const pf_loss plain = { 0 }, smooth = { .label_smoothing = 0.3 };
    ck_assert_double_eq_tol(cross_entropy(flat, 3, y, 2, 3, &plain, grad), log(3), 1e-14);
    ck_assert_double_eq_tol((double)grad[0], -1.0 / 3, 1e-7);
    ck_assert_double_eq_tol((double)grad[1], 1.0 / 6, 1e-7);
    ck_assert_double_eq_tol(cross_entropy(flat, 3, y, 2, 3, &smooth, grad), log(3), 1e-14);
    /* two samples of class weights 1 and 3: the sum is divided by 4, the weights, or by 2, the batch */
    const pk_real w[3] = { 1, 7, 3 };
    const pf_loss by_weight = { .class_weights = w }, by_batch = { .class_weights = w, .by_batch = true };
    ck_assert_double_eq_tol(cross_entropy(flat, 3, y, 2, 3, &by_weight, NULL), log(3), 1e-14);
    ck_assert_double_eq_tol(cross_entropy(flat, 3, y, 2, 3, &by_batch, NULL), 2 * log(3), 1e-14);
    const pk_real zero[4] = { 0 }, t[4] = { 0, 1, (pk_real)0.5, 1 };
    const pf_loss mean = { .kind = &pf_loss_bce }, sum = { .kind = &pf_loss_bce_sum };
    ck_assert_double_eq_tol(binary_cross_entropy(zero, 2, t, 2, 2, &mean, grad), log(2), 1e-14);
    ck_assert(grad[0] == (pk_real)0.125);
    ck_assert(grad[2] == 0);
    ck_assert_double_eq_tol(binary_cross_entropy(zero, 2, t, 2, 2, &sum, NULL), 2 * log(2), 1e-14);
}
END_TEST

START_TEST(huge_logits_stay_finite)
{
    const pk_real x[2 * 3] = { 90, -120, 88, 3000, 0, -3000 };
    const int64_t y[2] = { 1, 0 };
    pk_real grad[6];
    const pf_loss plain = { 0 };
    /* row 0: 90 - (-120) + log(1 + e^(88 - 90)); row 1: 0 */
    ck_assert_double_eq_tol(cross_entropy(x, 3, y, 2, 3, &plain, grad), (210 + log1p(exp(-2))) / 2, 1e-12);
    for (int i = 0; i < 6; i++) ck_assert(isfinite(grad[i]));
    ck_assert_double_eq_tol((double)grad[1], -0.5, 1e-7);
    ck_assert(grad[3] == 0);
    const pk_real t[6] = { 0, 1, 1, 1, 0, 0 };
    const pf_loss sum = { .kind = &pf_loss_bce_sum };
    ck_assert_double_eq_tol(binary_cross_entropy(x, 3, t, 2, 3, &sum, grad), (90 + 120 + log(2)) / 2, 1e-12);
    ck_assert_double_eq_tol((double)grad[0], 0.5, 1e-7);
    ck_assert_double_eq_tol((double)grad[1], -0.5, 1e-7);
    ck_assert(fabs((double)grad[2]) < 1e-37);
    /* class weights of 0: the loss is 0, without a division by 0 */
    const pk_real none[3] = { 0 };
    const pf_loss weighted = { .class_weights = none };
    ck_assert(cross_entropy(x, 3, y, 2, 3, &weighted, grad) == 0 && grad[0] == 0);
    const pk_real nan[3] = { 0, (pk_real)NAN, 0 };
    ck_assert(isnan(cross_entropy(nan, 3, y, 1, 3, &plain, NULL)));
}
END_TEST

static double focal(const pk_real *x, const int64_t *y, int64_t rows, const pf_loss *o, pk_real *grad)
{
    return loss_of(&pf_loss_focal, o, (pf_loss_rows){ x, 3, rows, 3, .labels = y }, grad);
}

/* Probability 1/3: (2/3)^gamma log 3 a row. gamma 0 is the cross entropy, also with class weights. */
START_TEST(focal_loss_equals_closed_forms)
{
    const pk_real flat[2 * 3] = { 1, 1, 1, -4, -4, -4 }, mixed[3] = { 1, -2, 3 }, w[3] = { 1, 7, 3 };
    const int64_t y[2] = { 0, 2 };
    pk_real grad[6], expected[6];
    const pf_loss usual = { .focal_alpha = 1, .focal_gamma = 2 };
    ck_assert_double_eq_tol(focal(flat, y, 2, &usual, grad), 4.0 / 9 * log(3), 1e-14);
    const pf_loss scaled = { .focal_alpha = 5, .focal_gamma = 2, .focal_eps = 1.0 / 6 };       /* p = 1/2 */
    ck_assert_double_eq_tol(focal(flat, y, 2, &scaled, NULL), 5 * 0.25 * log(2), 1e-14);
    const pf_loss entropy = { .focal_alpha = 1, .class_weights = w }, plain = { .class_weights = w };
    ck_assert_double_eq_tol(focal(flat, y, 2, &entropy, grad), cross_entropy(flat, 3, y, 2, 3, &plain, expected),
                            1e-14);
    for (int i = 0; i < 6; i++) ck_assert_double_eq_tol((double)grad[i], (double)expected[i], 1e-7);
    ck_assert_double_eq_tol(focal(mixed, y, 1, &entropy, NULL), cross_entropy(mixed, 3, y, 1, 3, &plain, NULL), 1e-14);
}
END_TEST

/* Softmax of 1, of 0, and eps that lifts the probability above 1, with powers below and above 1. */
START_TEST(focal_loss_stays_finite)
{
    const pk_real x[3 * 3] = { 3000, 0, -3000, -3000, 0, 3000, 40, 0, 0 };
    const int64_t y[3] = { 0, 0, 0 };
    const double gammas[] = { 0, 0.5, 1, 2, 100 };
    for (size_t i = 0; i < sizeof gammas / sizeof *gammas; i++)
        for (int with_eps = 0; with_eps < 2; with_eps++) {
            const pf_loss o = { .focal_alpha = 1, .focal_gamma = gammas[i], .focal_eps = with_eps ? 1e-6 : 0 };
            pk_real grad[9];
            const double value = focal(x, y, 3, &o, grad);
            ck_assert_double_eq_tol(value, (with_eps ? -log(1e-6) : 6000) / 3, 1e-2);
            for (int k = 0; k < 9; k++) ck_assert(isfinite(grad[k]));
            ck_assert_double_eq_tol((double)grad[3], with_eps ? 0 : -1.0 / 3, 1e-6);
        }
}
END_TEST

START_TEST(the_gradient_may_overwrite_the_logits)
{
    pk_real grad[N];
    const pf_loss o = { .label_smoothing = 0.1, .class_weights = weight };
    fill();
    ck_assert(ce(&o, grad) == ce(&o, logits));
    for (int i = 0; i < N; i++) if (i % LD < CLASSES) ck_assert(grad[i] == logits[i]);
}
END_TEST

SUITE_MAIN("loss", cross_entropy_gradients, soft_cross_entropy_gradients, one_hot_targets_equal_class_labels,
           binary_cross_entropy_gradients, every_row_and_option_has_the_right_gradient,
           entries_without_a_label_are_left_out, losses_equal_closed_forms, focal_loss_equals_closed_forms,
           focal_loss_stays_finite, huge_logits_stay_finite,
           the_gradient_may_overwrite_the_logits)
