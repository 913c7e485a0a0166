/* SPDX-License-Identifier: Apache-2.0
 * test_init.c -- truncated normal initial values, of parameters and of random backbones: truncated at the values -2 and
 * 2 as in torch and timm, not at two standard deviations; their standard deviation against the formula. */
#include <math.h>
#include "tiny.h"

/* Standard deviation of values of mean 0, and the largest magnitude. */
static double deviation(const pk_real *x, int64_t n, double *largest)
{
    double sum = 0;
    *largest = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += (double)x[i] * (double)x[i];
        *largest = fmax(*largest, fabs((double)x[i]));
    }
    return sqrt(sum / (double)n);
}

START_TEST(truncated_normal_values_have_the_standard_deviation_of_the_formula)
{
    /* The variance of a standard normal truncated at -2 and 2 is 1 - 2 * 2 phi(2) / (2 Phi(2) - 1). */
    const double truncated = sqrt(1 - 2 * 2 * 0.05399096651318806 / 0.9544997361036416);
    /* std: the parameter of the rule; lo, hi: bounds of the largest magnitude. Only std=1 is truncated. */
    static const struct { const char *init; double std, lo, hi; } rows[] = {
        { "trunc_normal:0.01", 0.01, 0.042, 0.06 }, { "trunc_normal:0.02", 0.02, 0.084, 0.12 },
        { "trunc_normal:1", 1, 1.99, 2 }, { "trunc_normal:0", 0, 0, 0 } };
    peft_context *ctx = tiny_plain_context();
    pf_params list = { 0 };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char name[16];
        pf_param *p;
        double largest;
        snprintf(name, sizeof name, "p%zu", i);
        OK(pf_param_make(ctx, &list, name, "weight", 1, (const int64_t[]){ 200000 }, &p));
        OK(pf_param_draw(ctx, p, rows[i].init));
        const double got = deviation(p->value.data, 200000, &largest);
        const double want = rows[i].std == 1 ? truncated : rows[i].std;
        ck_assert_msg(fabs(got - want) <= 0.01 * want, "%s: deviation %g, expected %g", rows[i].init, got, want);
        ck_assert_msg(largest >= rows[i].lo && largest <= rows[i].hi, "%s: largest magnitude %g", rows[i].init,
                      largest);
    }
    pf_params_free(ctx, &list);
    peft_context_free(ctx);
}
END_TEST

START_TEST(weights_of_random_backbones_are_not_clamped)
{
    peft_context *ctx = tiny_plain_context();
    peft_backbone *b = tiny_backbone(ctx, TINY_WIDE, NULL);
    const peft_tensor *w = pf_backbone_find(b, "blocks.1.mlp.fc1.weight");
    const pk_real *x = w->data;
    const int64_t n = peft_tensor_count(w);
    double largest;
    int64_t as_large = 0;                                    /* how many values have the largest magnitude */
    ck_assert_double_eq_tol(deviation(x, n, &largest), 0.02, 2e-4);
    ck_assert_double_gt(largest, 0.07);                      /* beyond two standard deviations, 0.04 */
    for (int64_t i = 0; i < n; i++) as_large += fabs((double)x[i]) == largest;
    ck_assert_int_eq(as_large, 1);                           /* clamped values would share the largest magnitude */
    peft_backbone_free(b);
    peft_context_free(ctx);
}
END_TEST

SUITE_MAIN("init", truncated_normal_values_have_the_standard_deviation_of_the_formula,
           weights_of_random_backbones_are_not_clamped)
