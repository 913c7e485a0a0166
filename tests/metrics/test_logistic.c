/* SPDX-License-Identifier: Apache-2.0
 * test_logistic.c -- logistic regression: gradients against differences, minima against formulas and a plain descent,
 * the weights that it returns, and problems without a bounded minimum. */
#include "core/probe/logistic.h"
#include "core/probe/minimise.h"
#include "probes.h"

enum { N = 53, WIDTH = 6, CLASSES = 4 };

/* A problem of `rows` rows on simulated features, in blocks. The caller frees what it points to. */
static pf_logistic make_problem(peft_context *ctx, int64_t rows, double penalty)
{
    static float x[N * WIDTH];
    static int64_t labels[N];
    simulated r = { 5 };
    pf_logistic l = { .n = N, .width = WIDTH, .rows = rows, .penalty = penalty };
    simulate_features(&r, x, labels, N, WIDTH, rows == 1 ? 2 : rows);
    double *blocks = NULL;
    OK(pf_probe_blocks(&(peft_probe){ .ctx = ctx, .width = WIDTH }, x, N, &blocks));
    l.x = blocks;
    l.target = labels;
    l.weight = malloc(N * sizeof *l.weight);
    l.logits = malloc((size_t)(rows * (PF_LANES + 1)) * sizeof *l.logits);
    for (int i = 0; i < N; i++) l.weights += l.weight[i] = i % 7 ? 0.5 + uniform(&r) : 0;
    return l;
}

static void free_problem(peft_context *ctx, pf_logistic *l)
{
    pf_free(ctx, (double *)(uintptr_t)l->x);
    free(l->weight);
    free(l->logits);
}

/* The value by its definition. */
static double plain_value(const pf_logistic *l, const double *v)
{
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < l->n; i++) {
        double z[CLASSES] = { 0 }, all = 0;
        for (int64_t r = 0; r < l->rows; r++) {
            z[r] = v[r * (WIDTH + 1) + WIDTH];
            for (int64_t j = 0; j < WIDTH; j++)
                z[r] += v[r * (WIDTH + 1) + j] * l->x[i / PF_LANES * PF_LANES * WIDTH + j * PF_LANES + i % PF_LANES];
        }
        for (int64_t r = 0; r < l->rows; r++) all += exp(z[r]);
        const double p = l->rows > 1 ? exp(z[l->target[i]]) / all : 1 / (1 + exp(l->target[i] ? -z[0] : z[0]));
        sum -= l->weight[i] * log(p);
    }
    for (int64_t k = 0; k < l->rows * (WIDTH + 1); k++) squares += k % (WIDTH + 1) < WIDTH ? v[k] * v[k] : 0;
    return sum / l->weights + l->penalty * squares / 2;
}

START_TEST(gradients_are_derivatives_of_the_value)
{
    peft_context *ctx = context();
    for (int rows = 1; rows <= CLASSES; rows += rows == 1 ? 2 : 1) {
        pf_logistic l = make_problem(ctx, rows, 0.03);
        double v[CLASSES * (WIDTH + 1)], g[CLASSES * (WIDTH + 1)], unused[CLASSES * (WIDTH + 1)];
        simulated r = { 11 };
        const int size = rows * (WIDTH + 1);
        for (int k = 0; k < size; k++) v[k] = 0.5 * normal(&r);
        NEAR(pf_logistic_value(v, g, &l), plain_value(&l, v), 1e-13);
        for (int k = 0; k < size; k++) {
            const double at = v[k], h = 1e-5;
            v[k] = at + h;
            const double above = pf_logistic_value(v, unused, &l);
            v[k] = at - h;
            const double below = pf_logistic_value(v, unused, &l);
            v[k] = at;
            NEAR(g[k], (above - below) / (2 * h), 1e-9);
        }
        free_problem(ctx, &l);
    }
    peft_context_free(ctx);
}
END_TEST

/* Gradient descent with small steps, which needs no line search, ends at the same point. */
START_TEST(minimum_is_that_of_plain_descent)
{
    peft_context *ctx = context();
    for (int rows = 1; rows <= CLASSES; rows += 3) {
        pf_logistic l = make_problem(ctx, rows, 0.05);
        enum { MOST = CLASSES * (WIDTH + 1) };
        double v[MOST] = { 0 }, w[MOST] = { 0 }, g[MOST], scale[MOST], memory[(2 * PF_MEMORY_PAIRS + 4) * MOST];
        const int size = rows * (WIDTH + 1);
        pf_logistic_scale(&l, scale);
        const pf_function f = { size, pf_logistic_value, &l, scale };
        const pf_minimum m = pf_minimise(&f, v, memory, 1e-11, 1000);
        ck_assert_int_eq(m.end, PF_END_CONVERGED);
        ck_assert(m.gradient <= 1e-11 && m.iterations < 100);
        for (int k = 0; k < 20000; k++) {
            pf_logistic_value(w, g, &l);
            for (int j = 0; j < size; j++) w[j] -= 0.05 * g[j];
        }
        for (int j = 0; j < size; j++) NEAR(v[j], w[j], 1e-8);
        NEAR(m.value, plain_value(&l, v), 1e-13);
        free_problem(ctx, &l);
    }
    peft_context_free(ctx);
}
END_TEST

/* A function whose minimum is known: sum of scale_j (cosh(x_j - j) - 1) over ten magnitudes. */
static double cosh_value(const double *x, double *gradient, void *user)
{
    double sum = 0;
    const double *scale = user;
    for (int j = 0; j < 10; j++) {
        sum += scale[j] * (cosh(x[j] - j) - 1);
        gradient[j] = scale[j] * sinh(x[j] - j);
    }
    return sum;
}

/* Its gradient has the wrong sign: no step along minus the gradient decreases it, as where rounding hides the slope. */
static double misleading_value(const double *x, double *gradient, void *user)
{
    (void)user;
    gradient[0] = -2 * x[0];
    return x[0] * x[0];
}

START_TEST(minimiser_ends_at_the_minimum_or_says_why_not)
{
    double scale[10], x[10] = { 0 }, memory[(2 * PF_MEMORY_PAIRS + 4) * 10];
    for (int j = 0; j < 10; j++) scale[j] = pow(10, (j * 3 % 10) / 2.0 - 2);
    const pf_function f = { 10, cosh_value, scale, scale };
    pf_minimum m = pf_minimise(&f, x, memory, 1e-9, 1000);
    ck_assert_int_eq(m.end, PF_END_CONVERGED);
    for (int j = 0; j < 10; j++) NEAR(x[j], j, 1e-9);
    m = pf_minimise(&f, x, memory, 1e-6, 1000);               /* the start is the minimum */
    ck_assert(m.end == PF_END_CONVERGED && m.iterations == 0);
    double y[10] = { 0 };
    m = pf_minimise(&f, y, memory, 1e-9, 3);
    ck_assert(m.end == PF_END_ITERATIONS && m.iterations == 3 && m.gradient > 1e-9);
    const double three = m.value;
    double z[10] = { 0 };
    m = pf_minimise(&f, z, memory, 1e-9, 4);                  /* an even number of steps: the other of two buffers */
    ck_assert(m.value < three);
    double g[10];
    ck_assert(cosh_value(z, g, scale) == m.value && cosh_value(y, g, scale) == three);
    double one[1] = { 3 };
    m = pf_minimise(&(pf_function){ 1, misleading_value, NULL, scale }, one, memory, 1e-9, 1000);
    ck_assert(m.end == PF_END_ROUNDING && m.iterations == 0 && one[0] == 3 && m.value == 9);
}
END_TEST

/* One feature, 0 or 1, and C so large that it has no effect: the logits are those of the shares. */
START_TEST(two_shares_give_their_logits)
{
    float x[20];
    int64_t y[20];
    double w[2], b[2];
    peft_context *ctx = context();
    peft_probe *p = NULL;
    for (int i = 0; i < 20; i++) {
        x[i] = (float)(i >= 10);
        y[i] = i < 10 ? i < 3 : i < 16;                      /* 3 of 10, and 6 of 10 */
    }
    OK(fit_probe(ctx, x, y, NULL, 20, 1, 2, "C=1e12,tolerance=1e-11", &p));
    OK(peft_probe_weights(p, w, b));
    ck_assert(w[0] == 0 && b[0] == 0);
    NEAR(b[1], log(3.0 / 7), 1e-8);
    NEAR(w[1], log(6.0 / 4) - log(3.0 / 7), 1e-8);
    NEAR(peft_probe_get(p, "loss"), -(3 * log(0.3) + 7 * log(0.7) + 6 * log(0.6) + 4 * log(0.4)) / 20, 1e-12);
    peft_probe_free(p);
    /* balanced: shares of 3/9 against 7/11, and of 6/9 against 4/11 */
    OK(fit_probe(ctx, x, y, NULL, 20, 1, 2, "C=1e12,tolerance=1e-11,class_weight=balanced", &p));
    OK(peft_probe_weights(p, w, b));
    NEAR(b[1], log((3.0 / 9) / (7.0 / 11)), 1e-8);
    NEAR(b[1] + w[1], log((6.0 / 9) / (4.0 / 11)), 1e-8);
    peft_probe_free(p);
    peft_context_free(ctx);
}
END_TEST

/* The weights give the scores, also with standardize and for several labels. */
START_TEST(weights_give_the_scores)
{
    enum { W = WIDTH + 1 };
    float x[N * W], targets[N * CLASSES];
    int64_t y[N];
    simulated r = { 2 };
    peft_context *ctx = context();
    simulate_features(&r, x, y, N, W, CLASSES);
    simulate_targets(&r, x, targets, N, W, CLASSES);
    for (int i = 0; i < N; i++) x[i * W + 3] = 0.1f;          /* a constant feature */
    for (int several = 0; several < 2; several++) {
        double w[CLASSES * W], b[CLASSES], s[N * CLASSES];
        peft_probe *p = NULL;
        OK(fit_probe(ctx, x, several ? NULL : y, several ? targets : NULL, N, W, CLASSES,
                     "standardize=true,class_weight=balanced", &p));
        OK(peft_probe_weights(p, w, b));
        OK(peft_probe_scores(p, x, N, s));
        for (int i = 0; i < N; i++) {
            double z[CLASSES], sum = 0;
            for (int c = 0; c < CLASSES; c++) {
                z[c] = b[c];
                for (int j = 0; j < W; j++) z[c] += w[c * W + j] * (double)x[i * W + j];
                sum += exp(z[c]);
            }
            for (int c = 0; c < CLASSES; c++)
                NEAR(s[i * CLASSES + c], several ? 1 / (1 + exp(-z[c])) : exp(z[c]) / sum, 1e-12);
        }
        for (int c = 0; c < CLASSES; c++) ck_assert(w[c * W + 3] == 0);
        peft_probe_free(p);
    }
    peft_context_free(ctx);
}
END_TEST

static void keep_message(int level, const char *message, void *user)
{
    (void)level;
    snprintf(user, 300, "%s", message);
}

START_TEST(separable_classes_end_with_a_warning)
{
    const float x[8] = { -2, 5, -1, 6, 1, 5, 3, 7 };
    const int64_t y[4] = { 0, 0, 1, 1 };
    char message[300] = "";
    double s[8];
    peft_context *ctx = context();
    peft_probe *p = NULL;
    OK(peft_context_set_log(ctx, keep_message, message, 1));
    OK(fit_probe(ctx, x, y, NULL, 4, 2, 2, "C=1", &p));
    ck_assert_str_eq(message, "");
    peft_probe_free(p);
    OK(fit_probe(ctx, x, y, NULL, 4, 2, 2, "C=1e12", &p));
    ck_assert_msg(strstr(message, "give a smaller C"), "'%s'", message);
    ck_assert(peft_probe_get(p, "loss") < 1e-5);
    OK(peft_probe_scores(p, x, 4, s));
    for (int i = 0; i < 4; i++) ck_assert(s[2 * i + y[i]] > 0.9999);
    peft_probe_free(p);
    /* the same number of samples that cannot be separated: no warning */
    const int64_t mixed[4] = { 0, 1, 0, 1 };
    const float line[4] = { 0, 1, 2, 0.5f };
    message[0] = 0;
    OK(fit_probe(ctx, line, mixed, NULL, 4, 1, 2, "C=1e12", &p));
    ck_assert_str_eq(message, "");
    peft_probe_free(p);
    peft_context_free(ctx);
}
END_TEST

START_TEST(fits_that_do_not_converge_are_errors)
{
    float x[N * WIDTH], huge[N * WIDTH];
    int64_t y[N];
    simulated r = { 4 };
    peft_context *ctx = context();
    peft_probe *p = NULL;
    simulate_features(&r, x, y, N, WIDTH, CLASSES);
    REFUSED(fit_probe(ctx, x, y, NULL, N, WIDTH, CLASSES, "max_iterations=3", &p), PEFT_E_OPTION, "max_iterations, 3",
            "tolerance, 1e-08", "standardize=true");
    ck_assert_ptr_null(p);
    OK(fit_probe(ctx, x, y, NULL, N, WIDTH, CLASSES, "tolerance=1e-9", &p));
    const double iterations = peft_probe_get(p, "iterations"), gradient = peft_probe_get(p, "gradient");
    ck_assert(iterations > 3 && iterations < 200 && gradient <= 1e-9 && gradient > 0);
    peft_probe_free(p);
    /* features of magnitude 1e30: their squares are near the end of double's range, and the fit ends all the same */
    for (int i = 0; i < N * WIDTH; i++) huge[i] = x[i] * 1e30f;
    OK(fit_probe(ctx, huge, y, NULL, N, WIDTH, CLASSES, "standardize=true", &p));
    peft_probe_free(p);
    peft_context_free(ctx);
}
END_TEST

SUITE_MAIN("logistic regression", gradients_are_derivatives_of_the_value, minimum_is_that_of_plain_descent,
           minimiser_ends_at_the_minimum_or_says_why_not, two_shares_give_their_logits, weights_give_the_scores,
           separable_classes_end_with_a_warning, fits_that_do_not_converge_are_errors)
