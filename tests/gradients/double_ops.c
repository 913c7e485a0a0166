/* SPDX-License-Identifier: Apache-2.0
 * double_ops.c -- gradients of every operation of graphs against numerical derivatives of the loss, for inputs of every
 * form (lab.h) and whichever leaves are trained. An error is relative to the largest gradient entry of its tensor, or
 * to 1e-4 of the graph's largest where that is more. */
#include "graph/op_cases.h"

/* A context that computes with one thread. */
static peft_context *context(void)
{
    peft_context *ctx;
    ck_assert_int_eq(peft_context_create(NULL, NULL, NULL, &ctx), PEFT_OK);
    ck_assert_int_eq(peft_context_set_threads(ctx, 1), PEFT_OK);
    return ctx;
}

/* The largest error of the derivatives by all elements of all leaves. */
static double worst_error(lab *l)
{
    double worst = 0, floor = 1e-4 * lab_largest_gradient(l);
    for (size_t i = 0; i < l->params.count; i++) {
        pk_real *x = l->params.item[i]->value.data;
        const pk_real *grad = l->params.item[i]->grad.data;
        int64_t n = peft_tensor_count(&l->params.item[i]->value);
        for (int64_t k = 0; k < n; k++) {
            double error = slope_error(lab_loss_again, l, x + k, grad[k], fmax(largest(grad, n), floor));
            if (!(error <= worst)) worst = error;
        }
    }
    return worst;
}

START_TEST(gradients_of_every_operation_are_derivatives)
{
    peft_context *ctx = context();
    double worst = 0;
    for (int c = 0; c < OP_CASES; c++)
        for (int v = 0; v < op_cases[c].variants; v++)
            for (lab_form form = PLAIN; form < LAB_FORMS; form++) {
                lab l;
                open_case(&l, ctx, &op_cases[c], v, form, LAB_TRAIN_ALL);
                lab_compile(&l, PF_PLAN_NAIVE);
                lab_run(&l);
                /* again: the naive plan overwrote values with NaN after their last use, and worst_error recomputes only
                 * those that depend on a trained leaf */
                forward_whole(&l.e, l.forward);
                double error = worst_error(&l);
                ck_assert_msg(error <= 1e-6, "%s, variant %d, inputs in form %d: relative error %g",
                              op_cases[c].name, v, form, error);
                worst = fmax(worst, error);
                lab_close(&l);
            }
    printf("operations: largest relative error of a gradient %.2g\n", worst);
    peft_context_free(ctx);
}
END_TEST

/* The gradients in l are `times` those of the same leaves in `want`. */
static void compare(const lab *l, const lab *want, double times, const char *what)
{
    double floor = 1e-4 * lab_largest_gradient(want);
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

/* A leaf's gradient does not depend on which other leaves are trained. A second run replaces it; with run.accumulate
 * set it is added. */
START_TEST(gradients_do_not_depend_on_which_leaves_are_trained)
{
    peft_context *ctx = context();
    for (int c = 0; c < OP_CASES; c++)
        for (int v = 0; v < op_cases[c].variants; v++)
            for (lab_form form = PLAIN; form < LAB_FORMS; form++) {
                char what[96];
                snprintf(what, sizeof what, "%s, variant %d, inputs in form %d", op_cases[c].name, v, form);
                lab all, part;
                open_case(&all, ctx, &op_cases[c], v, form, LAB_TRAIN_ALL);
                lab_compile(&all, PF_PLAN_NAIVE);
                lab_run(&all);
                int leaves = (int)all.params.count;
                /* every subset of up to four leaves, as bits of m; of more leaves each one alone */
                uint64_t end = leaves > 4 ? (uint64_t)leaves + 1 : UINT64_C(1) << leaves;
                for (uint64_t m = 1; m < end; m++) {
                    const uint64_t trained = leaves > 4 ? UINT64_C(1) << (m - 1) : m;
                    open_case(&part, ctx, &op_cases[c], v, form, trained);
                    lab_compile(&part, LAB_USUAL_PLAN);
                    for (int run = 0; run < 3; run++) {
                        const bool adds = run == 2;
                        part.e.run.accumulate = adds;
                        lab_run(&part);
                        compare(&part, &all, adds ? 2 : 1, what);
                    }
                    lab_close(&part);
                }
                lab_close(&all);
            }
    peft_context_free(ctx);
}
END_TEST

/* All operations of the library. */
static const struct { const char *name; const pf_op *op; } rows[] = {
#define PF_OP(name) { #name, &pf_op_##name },
#include "core/graph/ops.def"
#undef PF_OP
};
enum { ROWS = sizeof rows / sizeof *rows };
/* Operations of the backward pass: they have no gradient. */
static const char *const backward_only[] = {
    "patches_grad", "linear_dx", "linear_dw", "conv2d_dx", "conv2d_dw", "layernorm_dx", "layernorm_dgamma",
    "head_norm_dx", "head_sums", "rope_dtable", "rope_table_grad", "upsample_grad",
    "batchnorm_grad", "attention_grad",
    "act_grad", "sum_to", "dot_to", "row_sums", "put", "mean_rows_grad", "logsumexp_grad", "logaddexp_grad",
    "dropout_grad", "swap_grad", "frame_grad", "frequencies_dp", "row_dots", "cayley_grad", "rotate_dm", "gate_dx",
    "attention_apply_t", "softmax_grad", "row_range_grad", "scaled_logsumexp_grad", "entropy_grad", "discrepancy_grad",
    "mean_grad", "fill" };

/* Every operation occurs in a graph of op_cases.h, and every one with a gradient has a case of its own. */
START_TEST(every_operation_is_tested)
{
    peft_context *ctx = context();
    bool ran[ROWS] = { false };
    for (int c = 0; c < OP_CASES; c++) {
        bool found = false;
        for (int v = 0; v < op_cases[c].variants; v++) {
            lab l;
            open_case(&l, ctx, &op_cases[c], v, PLAIN, LAB_TRAIN_ALL);
            lab_compile(&l, LAB_USUAL_PLAN);
            for (uint32_t i = 0; i < l.e.g.nodes; i++) {
                for (int r = 0; r < ROWS; r++) ran[r] |= l.e.g.node[i].op == rows[r].op;
                found |= l.e.g.node[i].op == op_cases[c].op;
            }
            lab_close(&l);
        }
        ck_assert_msg(found, "no graph of case '%s' contains its operation", op_cases[c].name);
    }
    for (int r = 0; r < ROWS; r++) {
        bool checked = false, backward = false;
        for (int c = 0; c < OP_CASES; c++) checked |= op_cases[c].op == rows[r].op;
        for (size_t i = 0; i < sizeof backward_only / sizeof *backward_only; i++)
            backward |= !strcmp(backward_only[i], rows[r].name);
        if (rows[r].op == &pf_op_narrow) continue;               /* rounds: test_keep */
        ck_assert_msg(checked != backward, "%s: expected either a case in op_cases.h or a place in backward_only",
                      rows[r].name);
        ck_assert_msg(!backward || !rows[r].op->grad, "%s has a gradient: it needs a case", rows[r].name);
        ck_assert_msg(ran[r], "%s did not occur in any graph", rows[r].name);
    }
    peft_context_free(ctx);
}
END_TEST

SUITE_MAIN("operations in double", gradients_of_every_operation_are_derivatives,
           gradients_do_not_depend_on_which_leaves_are_trained, every_operation_is_tested)
