/* SPDX-License-Identifier: Apache-2.0
 * double_ops.c -- the gradient of every operation is the slope of the loss, whatever is trained and however its inputs
 * lie in memory. The error of an element is measured against the largest gradient entry of its tensor, and against
 * 1e-4 of the largest of the graph where that is more (a gradient that is 0 has no digits to compare). */
#include "graph/op_cases.h"

static peft_context *context(void)
{
    peft_context *ctx;
    ck_assert_int_eq(peft_context_create(NULL, NULL, NULL, &ctx), PEFT_OK);
    ck_assert_int_eq(peft_context_set_threads(ctx, 1), PEFT_OK);
    return ctx;
}

/* Every element of every leaf. */
static double worst_slope(lab *l)
{
    double worst = 0, floor = 1e-4 * lab_scale(l);
    for (size_t i = 0; i < l->params.count; i++) {
        pk_real *x = l->params.item[i]->value.data;
        const pk_real *grad = l->params.item[i]->grad.data;
        int64_t n = peft_tensor_count(&l->params.item[i]->value);
        for (int64_t k = 0; k < n; k++) {
            double error = slope_error(lab_value, l, x + k, grad[k], fmax(largest(grad, n), floor));
            if (!(error <= worst)) worst = error;
        }
    }
    return worst;
}

START_TEST(gradients_are_slopes)
{
    peft_context *ctx = context();
    double worst = 0;
    for (int c = 0; c < OP_CASES; c++)
        for (int v = 0; v < op_cases[c].variants; v++)
            for (lab_dress d = PLAIN; d < DRESSES; d++) {
                lab l;
                open_case(&l, ctx, &op_cases[c], v, d, UINT64_MAX);
                lab_compile(&l, PF_PLAN_NAIVE);
                lab_run(&l);
                forward_whole(&l.e, l.forward);
                double error = worst_slope(&l);
                ck_assert_msg(error <= 1e-6, "%s, form %d, leaves as %d: relative error %g", op_cases[c].name, v, d,
                              error);
                worst = fmax(worst, error);
                lab_close(&l);
            }
    printf("operations: largest relative error of a gradient %.2g\n", worst);
    peft_context_free(ctx);
}
END_TEST

/* Gradients of l stand at their leaf's place in want. */
static void compare(const lab *l, const lab *want, double times, const char *what)
{
    double floor = 1e-4 * lab_scale(want);
    for (uint32_t i = 0; i < l->leaves; i++) {
        if (!l->leaf[i]) continue;
        const pk_real *a = l->leaf[i]->grad.data, *b = want->leaf[i]->grad.data;
        int64_t n = peft_tensor_count(&l->leaf[i]->value);
        double unit = fmax(largest(b, n), floor);
        for (int64_t k = 0; k < n; k++)
            ck_assert_msg(fabs(a[k] - times * b[k]) <= 1e-13 * unit, "%s: element %d of leaf %u: %.17g, expected %.17g",
                          what, (int)k, i, (double)a[k], times * (double)b[k]);
    }
}

/* A leaf's gradient does not depend on which others are trained; a second run replaces it, or adds to it when told. */
START_TEST(any_part_may_be_trained)
{
    peft_context *ctx = context();
    for (int c = 0; c < OP_CASES; c++)
        for (int v = 0; v < op_cases[c].variants; v++)
            for (lab_dress d = PLAIN; d < DRESSES; d++) {
                char what[96];
                snprintf(what, sizeof what, "%s, form %d, leaves as %d", op_cases[c].name, v, d);
                lab all, part;
                open_case(&all, ctx, &op_cases[c], v, d, UINT64_MAX);
                lab_compile(&all, PF_PLAN_NAIVE);
                lab_run(&all);
                int leaves = (int)all.params.count;
                uint64_t end = leaves > 4 ? (uint64_t)leaves + 1 : UINT64_C(1) << leaves;
                for (uint64_t m = 1; m < end; m++) {
                    open_case(&part, ctx, &op_cases[c], v, d, leaves > 4 ? UINT64_C(1) << (m - 1) : m);
                    lab_compile(&part, 0);
                    for (int run = 0; run < 3; run++) {
                        part.e.run.accumulate = run == 2;
                        lab_run(&part);
                        compare(&part, &all, run == 2 ? 2 : 1, what);
                    }
                    lab_close(&part);
                }
                lab_close(&all);
            }
    peft_context_free(ctx);
}
END_TEST

static const struct { const char *name; const pf_op *op; } rows[] = {
#define PF_OP(name) { #name, &pf_op_##name },
#include "core/graph/ops.def"
#undef PF_OP
};
enum { ROWS = sizeof rows / sizeof *rows };
/* Made by the grad pass only: no gradient of their own. */
static const char *const backward_only[] = {
    "patches_grad", "linear_dx", "linear_dw", "layernorm_dx", "layernorm_dgamma", "batchnorm_grad", "attention_grad",
    "act_grad", "sum_to", "dot_to", "row_sums", "put", "mean_rows_grad", "logsumexp_grad", "logaddexp_grad",
    "dropout_grad", "swap_grad", "frame_grad" };

START_TEST(no_operation_is_forgotten)
{
    peft_context *ctx = context();
    bool seen[ROWS] = { false };
    for (int c = 0; c < OP_CASES; c++) {
        bool found = false;
        for (int v = 0; v < op_cases[c].variants; v++) {
            lab l;
            open_case(&l, ctx, &op_cases[c], v, PLAIN, UINT64_MAX);
            lab_compile(&l, 0);
            for (uint32_t i = 0; i < l.e.g.nodes; i++) {
                for (int r = 0; r < ROWS; r++) seen[r] |= l.e.g.node[i].op == rows[r].op;
                found |= l.e.g.node[i].op == op_cases[c].op;
            }
            lab_close(&l);
        }
        ck_assert_msg(found, "no graph of case '%s' holds its operation", op_cases[c].name);
    }
    for (int r = 0; r < ROWS; r++) {
        bool checked = false, backward = false;
        for (int c = 0; c < OP_CASES; c++) checked |= op_cases[c].op == rows[r].op;
        for (size_t i = 0; i < sizeof backward_only / sizeof *backward_only; i++)
            backward |= !strcmp(backward_only[i], rows[r].name);
        ck_assert_msg(checked != backward, "%s: expected a case in op_cases.h, or a place among the backward-only",
                      rows[r].name);
        ck_assert_msg(!backward || !rows[r].op->grad, "%s has a gradient: it needs a case", rows[r].name);
        ck_assert_msg(seen[r], "%s was never run", rows[r].name);
    }
    peft_context_free(ctx);
}
END_TEST

SUITE_MAIN("operations in double", gradients_are_slopes, any_part_may_be_trained, no_operation_is_forgotten)
