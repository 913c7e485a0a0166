/* SPDX-License-Identifier: Apache-2.0
 * test_map_loss.c -- losses of maps: values and gradients of PyTorch, torchvision and MONAI (map_losses.h), pixels that
 * are left out, Dice by sample and by batch, terms without a pixel, huge logits and NaN, threads. */
#include "suite.h"
#include <math.h>
#include "core/graph/exec.h"
#include "loss/loss_rows.h"
#include "loss/map_losses.h"

/* Limits: of values, relative; of gradients, absolute. float logits have 24 bits. */
#ifdef PF_REAL_DOUBLE
static const double value_limit = 1e-9, grad_limit = 1e-11;
#else
static const double value_limit = 1e-6, grad_limit = 1e-7;
#endif

START_TEST(values_and_gradients_equal_those_of_python)
{
    for (size_t k = 0; k < sizeof map_cases / sizeof *map_cases; k++) {
        const struct map_case *c = &map_cases[k];
        pk_real grad[MAP_ROWS * MAP_CLASSES];
        const pf_loss_rows r = { map_logits, MAP_CLASSES, MAP_ROWS, MAP_CLASSES, .labels = c->labels,
                                 .targets = c->targets, .samples = MAP_SAMPLES };
        const double value = loss_of(c->kind, &c->options, r, grad);
        ck_assert_msg(fabs(value - c->value) <= value_limit * fabs(c->value), "case %zu, %s: %.15g, expected %.15g", k,
                      c->kind->name, value, c->value);
        ck_assert(value == loss_of(c->kind, &c->options, r, NULL));
        for (int i = 0; i < MAP_ROWS * MAP_CLASSES; i++)
            ck_assert_msg(fabs((double)grad[i] - c->grad[i]) <= grad_limit, "case %zu, %s, gradient %d: %.12g, "
                          "expected %.12g", k, c->kind->name, i, (double)grad[i], c->grad[i]);
    }
}
END_TEST

/* Options with which all losses of the table are defined. */
static const pf_loss usual = { .focal_alpha = 1, .focal_gamma = 2, .ce_weight = 0.5, .dice_weight = 2,
                               .dice_smooth = 1e-3, .dice_background = true };
/* Rows of two samples with this number of pixels each, and NaN between the rows. */
enum { CLASSES = 3, LD = 5 };
typedef struct { int64_t pixels; pk_real *logits, *targets, *grad; int64_t *labels; } maps;

static maps maps_make(int64_t pixels)
{
    const int64_t rows = 2 * pixels;
    const size_t logits = (size_t)(rows * LD) * sizeof(pk_real);
    maps m = { pixels, malloc(logits), malloc((size_t)(rows * CLASSES) * sizeof(pk_real)), malloc(logits),
               malloc((size_t)rows * sizeof(int64_t)) };
    for (int64_t i = 0; i < rows * LD; i++) m.logits[i] = i % LD < CLASSES ? (pk_real)(i * 37 % 41 / 8.0 - 2.5) : NAN;
    for (int64_t i = 0; i < rows; i++) {
        m.labels[i] = i * i % 7 % CLASSES;
        /* a distribution over the classes, which all losses with targets take */
        for (int c = 0; c < CLASSES; c++)
            m.targets[i * CLASSES + c] = (pk_real)((c == m.labels[i] ? 0.5 : 0) + (c == (i + 1) % CLASSES ? 0.5 : 0));
    }
    return m;
}

static void maps_free(maps *m)
{
    free(m->logits);
    free(m->targets);
    free(m->grad);
    free(m->labels);
}

static pf_loss_rows maps_rows(const maps *m, const pf_loss_kind *kind)
{
    const bool classes = kind->labels == PF_LABEL_CLASS;
    return (pf_loss_rows){ m->logits, LD, 2 * m->pixels, CLASSES, .labels = classes ? m->labels : NULL,
                           .targets = classes ? NULL : m->targets, .samples = 2 };
}

/* Pixels whose label is ignored, or with targets of -1, change nothing: value and gradient of the others are those of
 * maps without these pixels, whatever their logits are. */
START_TEST(pixels_without_a_label_count_nowhere)
{
    enum { PIXELS = 12, OUT = 4 };
    static const pk_real weight[CLASSES] = { (pk_real)0.5, 2, (pk_real)1.25 };
    for (size_t k = 0; pf_losses[k]; k++)
        for (int variant = 0; variant < 8; variant++) {
            const pf_loss_kind *kind = pf_losses[k];
            if (kind == &pf_loss_soft_ce) continue;                /* its labels have no value for such pixels */
            maps all = maps_make(PIXELS), part = maps_make(PIXELS - OUT);
            pf_loss o = usual;
            o.ignores = true;
            o.ignore_index = -1;
            o.dice_batch = variant & 1;
            o.class_weights = variant & 2 ? weight : NULL;
            o.by_batch = variant & 4;
            for (int64_t i = 0, to = 0; i < 2 * PIXELS; i++) {
                const bool out = i % 3 == 1;
                for (int c = 0; c < CLASSES; c++) {
                    if (out) all.targets[i * CLASSES + c] = -1;
                    else part.targets[to * CLASSES + c] = all.targets[i * CLASSES + c];
                    if (out) all.logits[i * LD + c] = c ? (pk_real)NAN : 3000;
                    else part.logits[to * LD + c] = all.logits[i * LD + c];
                }
                if (out) all.labels[i] = -1;
                else part.labels[to++] = all.labels[i];
            }
            const double value = loss_of(kind, &o, maps_rows(&all, kind), all.grad);
            ck_assert_msg(fabs(value - loss_of(kind, &o, maps_rows(&part, kind), part.grad)) < 1e-12, "%s: %g",
                          kind->name, value);
            ck_assert_double_gt(value, 0);
            for (int64_t i = 0, to = 0; i < 2 * PIXELS; i++) {
                for (int c = 0; c < CLASSES; c++)
                    ck_assert(all.grad[i * LD + c] == (i % 3 == 1 ? 0 : part.grad[to * LD + c]));
                to += i % 3 != 1;
            }
            maps_free(&all);
            maps_free(&part);
        }
}
END_TEST

/* Value and gradient have the same bits for any number of threads. A map has more rows than a chunk. */
START_TEST(threads_change_no_bit)
{
    enum { PIXELS = 9001 };
    const size_t grads = 2 * PIXELS * LD * sizeof(pk_real);
    for (size_t k = 0; pf_losses[k]; k++) {
        maps m = maps_make(PIXELS);
        pf_loss o = usual;
        pf_loss_rows r = maps_rows(&m, pf_losses[k]);
        memset(m.grad, 0, grads);
        const double value = loss_of(pf_losses[k], &o, r, m.grad);
        pk_real *one = malloc(grads);
        memcpy(one, m.grad, grads);
        o.kind = pf_losses[k];
        for (int threads = 2; threads <= 5; threads += 3) {
            pk_pool *pool = aligned_alloc(64, pf_align_up(pk_pool_bytes(threads)));
            ck_assert_int_eq(pk_pool_start(pool, threads), threads);
            const pf_run run = { .pool = pool, .threads = threads };
            r.run = &run;
            r.scratch = malloc(pf_loss_scratch(&o, &r, threads));
            memset(m.grad, 0, grads);
            ck_assert_msg(o.kind->evaluate(&o, &r, m.grad) == value, "%s", o.kind->name);
            ck_assert_mem_eq(m.grad, one, grads);
            free(r.scratch);
            pk_pool_stop(pool);
            free(pool);
        }
        free(one);
        maps_free(&m);
    }
}
END_TEST

/* Two samples of one pixel each. Sample 1 has no label: it counts in no mean. A class with denominator 0 has Dice 1. */
START_TEST(dice_of_samples_and_classes_without_a_pixel)
{
    const pk_real flat[2 * 2] = { 0, 0, 7, -7 }, sure[2 * 2] = { 4000, -4000, 4000, -4000 };
    const int64_t y[2] = { 1, -1 }, right[2] = { 0, 0 }, wrong[2] = { 1, 1 };
    pk_real grad[4];
    const pf_loss none = { .ignores = true, .ignore_index = -1, .dice_background = true }, foreground = { 0 };
    pf_loss_rows r = { flat, 2, 2, 2, .labels = y, .samples = 2 };
    /* class 0: 0 / 0.5; class 1: 1 / 1.5 */
    ck_assert_double_eq_tol(loss_of(&pf_loss_dice, &none, r, grad), 1 - 1.0 / 3, 1e-15);
    ck_assert(grad[0] > 0 && grad[1] < 0 && grad[2] == 0 && grad[3] == 0);
    r.labels = (const int64_t[]){ -1, -1 };
    ck_assert(loss_of(&pf_loss_dice, &none, r, grad) == 0 && grad[0] == 0 && grad[3] == 0);
    r.logits = sure;
    r.labels = right;                                              /* class 1: p 0, and no pixel: 0 / 0 */
    ck_assert(loss_of(&pf_loss_dice, &none, r, grad) == 0 && loss_of(&pf_loss_dice, &foreground, r, NULL) == 0);
    r.labels = wrong;
    ck_assert(loss_of(&pf_loss_dice, &none, r, grad) == 1);
    for (int i = 0; i < 4; i++) ck_assert(isfinite(grad[i]));
    const pk_real targets[4] = { 1, 0, 1, -1 };
    r = (pf_loss_rows){ sure, 2, 2, 2, .targets = targets, .samples = 2 };
    ck_assert(loss_of(&pf_loss_dice_multilabel, &none, r, grad) == 0);
    const pk_real nan[4] = { 0, NAN, 0, 0 };
    r.logits = nan;
    ck_assert(isnan(loss_of(&pf_loss_dice_multilabel, &none, r, grad)));
    r = (pf_loss_rows){ nan, 2, 2, 2, .labels = right, .samples = 2 };
    ck_assert(isnan(loss_of(&pf_loss_dice, &none, r, grad)) && isnan(grad[0]));
}
END_TEST

/* ce_dice and bce_dice with one of the weights 0 are the other part; of one class bce_dice is that of a finding. */
START_TEST(parts_of_the_sums)
{
    static const struct { const pf_loss_kind *sum, *entropy, *dice; } rows[] = {
        { &pf_loss_ce_dice, &pf_loss_ce, &pf_loss_dice },
        { &pf_loss_bce_dice, &pf_loss_bce, &pf_loss_dice_multilabel } };
    for (int k = 0; k < 4; k++) {
        maps m = maps_make(20);
        const pf_loss_kind *part = k & 1 ? rows[k / 2].dice : rows[k / 2].entropy;
        pk_real grad[2 * 20 * LD];
        pf_loss o = usual;
        o.ce_weight = !(k & 1);
        o.dice_weight = k & 1;
        const double want = loss_of(part, &o, maps_rows(&m, part), m.grad);
        ck_assert_double_eq_tol(loss_of(rows[k / 2].sum, &o, maps_rows(&m, part), grad), want, 1e-14);
        for (int i = 0; i < 2 * 20 * LD; i++)
            if (i % LD < CLASSES) ck_assert_double_eq_tol((double)grad[i], (double)m.grad[i], grad_limit);
        maps_free(&m);
    }
    const pk_real x[2] = { 0, 0 }, t[2] = { 1, 0 };
    const pf_loss_rows one = { x, 1, 2, 1, .targets = t, .samples = 1 };
    const pf_loss o = { .ce_weight = 1, .dice_weight = 1 };
    ck_assert_double_eq_tol(loss_of(&pf_loss_bce_dice, &o, one, NULL), log(2) + 1 - 1.0 / 2, 1e-14);
}
END_TEST

SUITE_MAIN("map loss", values_and_gradients_equal_those_of_python, pixels_without_a_label_count_nowhere,
           threads_change_no_bit, dice_of_samples_and_classes_without_a_pixel, parts_of_the_sums)
