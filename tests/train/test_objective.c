/* SPDX-License-Identifier: Apache-2.0
 * test_objective.c -- the objective of a trainer: targets out of range, entries without a label, class weights, which
 * tensors decay, options that the loss or optimiser does not read, updates that overflow. */
#include <math.h>
#include "tiny_bits.h"

enum { N = 4, C = 3 };                   /* samples of a batch, classes */

/* The trainer's state has the bits recorded in `before`. */
static void check_same_state(peft_trainer *x, const tiny_bits *before, const char *what)
{
    tiny_bits after = { 0 };
    tiny_bits_training(&after, x);
    tiny_same(before, &after, what);                                      /* frees `after` */
}

START_TEST(targets_out_of_range_are_refused)
{
    static const struct { const char *loss; float value; const char *part; } bad[] = {
        { "bce", 2, "labels[1][2]: given 2, expected 0 to 1, or -1" }, { "bce", -5, "given -5" },
        { "bce_sum", 1e30f, "labels[1][2]" }, { "bce", -0.5f, "given -0.5" }, { "bce", INFINITY, "labels[1][2]" },
        { "soft_ce", -1, "given -1, expected 0 to 1 (soft_ce" }, { "soft_ce", 1.5f, "given 1.5" },
        { "soft_ce", 0.5f, "add up to" }, { "soft_ce", NAN, "labels[1][2]" } };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        tiny t = tiny_make(&(tiny_spec){ .method = "ept" });
        tiny_batch b = tiny_first_batch(t.model, N);
        tiny_bits before = { 0 };
        float *y = peft_tensor_data(b.targets);
        for (int i = 0; i < N * C; i++) y[i] = i % C == 0;
        peft_trainer *x = tiny_trainer(t.model, "batch=%d,loss=%s", N, bad[k].loss);
        OK(peft_trainer_step(x, b.images, b.targets, NULL));
        tiny_bits_training(&before, x);
        y[1 * C + 2] = bad[k].value;
        FAILS(PEFT_E_INVALID, bad[k].part, peft_trainer_step(x, b.images, b.targets, NULL));
        check_same_state(x, &before, bad[k].loss);
        tiny_bits_free(&before);
        peft_trainer_free(x);
        tiny_batch_free(&b);
        tiny_free(&t);
    }
}
END_TEST

/* Entries of -1 have no label: the loss is the mean over the others; the last class, without any label, has gradient
 * 0. */
START_TEST(entries_without_a_label_are_left_out)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "linear" });
    tiny_batch b = tiny_first_batch(t.model, N);
    float *y = peft_tensor_data(b.targets);
    for (int i = 0; i < N * C; i++) y[i] = i % C == 2 ? -1 : i % 2;
    peft_trainer *x = tiny_trainer(t.model, "batch=%d,loss=bce", N);
    OK(peft_trainer_backward(x, b.images, b.targets, NULL));
    const float *logits = peft_tensor_cdata(peft_trainer_logits(x));
    const float *g = peft_tensor_cdata(peft_param_grad(peft_model_find_param(t.model, "head.bias")));
    double sum = 0;
    for (int i = 0; i < N * C; i++) if (y[i] >= 0) sum += log1p(exp(logits[i])) - (double)(y[i] * logits[i]);
    ck_assert_double_eq_tol(peft_trainer_get(x, "loss"), sum / (N * 2), 1e-6);
    ck_assert(g[2] == 0 && g[0] != 0 && g[1] != 0);
    peft_trainer_free(x);
    tiny_batch_free(&b);
    tiny_free(&t);
}
END_TEST

static int warnings;
static void count_warning(int level, const char *message, void *user)
{
    (void)user;
    if (level == 1 && strstr(message, "no label that counts")) warnings++;
}

/* A batch whose labels all have weight 0 changes nothing: no update, weight decay, momentum or running statistics. One
 * warning is logged. */
START_TEST(a_batch_without_labels_changes_nothing)
{
    enum { CE, BCE, SOFT_CE, NO_CLASS_COUNTS };                              /* indices of options */
    static const char *const options[] = {
        "class_weights=\"0,1,1\",weight_decay=0.5", "loss=bce,optimizer=sgd", "loss=soft_ce,class_weights=\"0,1,1\"",
        "loss=bce_sum,class_weights=\"0,0,0\"" };
    for (size_t k = 0; k < sizeof options / sizeof *options; k++) {
        tiny t = tiny_make(&(tiny_spec){ .method = "linear", .model = "classes=3,head=bn_linear" });
        tiny_batch b = tiny_first_batch(t.model, N);
        tiny_bits before = { 0 };
        warnings = 0;
        OK(peft_context_set_log(t.ctx, count_warning, NULL, 1));
        peft_trainer *x = tiny_trainer(t.model, "batch=%d,%s", N, options[k]);
        const bool ce = k == CE, bce = k == BCE || k == NO_CLASS_COUNTS;
        int64_t *labels = peft_tensor_data(b.labels);
        float *y = peft_tensor_data(b.targets);
        for (int i = 0; i < N * C; i++) y[i] = i % C == 1;
        if (k != NO_CLASS_COUNTS) OK(peft_trainer_step(x, b.images, ce ? b.labels : b.targets, NULL));
        for (int i = 0; i < N; i++) labels[i] = 0;
        for (int i = 0; i < N * C; i++) y[i] = bce ? -1 : i % C == 0;
        if (k == NO_CLASS_COUNTS) y[0] = 1;                                  /* a label, of a class with weight 0 */
        tiny_bits_training(&before, x);
        const double step = peft_trainer_get(x, "step");
        for (int i = 0; i < 2; i++) OK(peft_trainer_step(x, b.images, ce ? b.labels : b.targets, NULL));
        ck_assert(peft_trainer_get(x, "step") == step);
        ck_assert_int_eq(warnings, 1);
        check_same_state(x, &before, options[k]);
        tiny_bits_free(&before);
        peft_trainer_free(x);
        tiny_batch_free(&b);
        tiny_free(&t);
    }
}
END_TEST

START_TEST(losses_with_weights_follow_their_formulas)
{
    enum { BCE, BCE_SUM, SOFT_CE, SOFT_CE_BY_WEIGHTS, LOSSES };
    static const char *const options[LOSSES] = {
        [BCE] = "loss=bce,pos_weight=\"4,1,0.5\"",
        [BCE_SUM] = "loss=bce_sum,pos_weight=\"[4, 1, 0.5]\",class_weights=\"1,2,5\"",
        [SOFT_CE] = "loss=soft_ce,class_weights=\"1,2,5\"",
        [SOFT_CE_BY_WEIGHTS] = "loss=soft_ce,class_weights=\"1,2,5\",weight_reduction=weights" };
    const double w[C] = { 1, 2, 5 }, pos[C] = { 4, 1, 0.5 };
    for (int k = 0; k < LOSSES; k++) {
        const bool binary = k == BCE || k == BCE_SUM;
        tiny t = tiny_make(&(tiny_spec){ .method = "linear" });
        tiny_batch b = tiny_first_batch(t.model, N);
        float *y = peft_tensor_data(b.targets);
        /* targets 0 and 1; or distributions: 0.5 for class (sample % C), 0.25 for the two others */
        for (int i = 0; i < N * C; i++) y[i] = binary ? (float)(i % 2) : i / C % C == i % C ? 0.5f : 0.25f;
        peft_trainer *x = tiny_trainer(t.model, "batch=%d,%s", N, options[k]);
        OK(peft_trainer_backward(x, b.images, b.targets, NULL));
        const float *z = peft_tensor_cdata(peft_trainer_logits(x));
        double sum = 0, weights = 0;
        for (int i = 0; i < N; i++) {
            double lse = 0;
            for (int c = 0; c < C; c++) lse += exp(z[i * C + c]);
            for (int c = 0; c < C; c++) {
                const double v = z[i * C + c], target = y[i * C + c], weight = k == BCE ? 1 : w[c];
                weights += weight * target;
                sum += weight * (binary ? pos[c] * target * log1p(exp(-v)) + (1 - target) * log1p(exp(v))
                                       : target * (log(lse) - v));
            }
        }
        /* soft_ce divides by the batch size, as PyTorch does */
        const double divisor = k == BCE ? N * C : k == SOFT_CE_BY_WEIGHTS ? weights : N;
        ck_assert_double_eq_tol(peft_trainer_get(x, "loss"), sum / divisor, 1e-5);
        peft_trainer_free(x);
        tiny_batch_free(&b);
        tiny_free(&t);
    }
}
END_TEST

/* decay_on=matrices: no weight decay for biases, norms and scales, which have less than two extents. */
START_TEST(decay_on_chooses_the_decayed_parameters)
{
    for (int matrices = 0; matrices < 2; matrices++) {
        tiny t = tiny_make(&(tiny_spec){ .method = "bitfit" });
        peft_trainer *x = tiny_trainer(t.model, "batch=%d,weight_decay=0.1,decay_on=%s", N,
                                       matrices ? "matrices" : "all");
        for (size_t i = 0; i < x->trained_count; i++) {
            const int ndim = peft_tensor_ndim(peft_param_value(x->trained[i].p));
            ck_assert(x->trained[i].weight_decay == (matrices && ndim < 2 ? 0 : 0.1));
        }
        peft_trainer_free(x);
        tiny_free(&t);
    }
    tiny t = tiny_make(&(tiny_spec){ .method = "bitfit" });
    peft_options *o = tiny_options(t.ctx, "decay_on=biases");
    peft_trainer *none;
    FAILS(PEFT_E_OPTION, "expected all or matrices", peft_trainer_create(t.model, o, &none));
    peft_options_free(o);
    tiny_free(&t);
}
END_TEST

START_TEST(options_without_effect_are_refused)
{
    static const struct { const char *options, *part; } bad[] = {
        { "loss=bce,label_smoothing=0.1", "label_smoothing: given '0.1', but loss=bce does not read it" },
        { "optimizer=adamw,momentum=0.8", "momentum" }, { "nesterov=yes", "nesterov" },
        { "optimizer=sgd,beta1=0.8", "beta1" }, { "optimizer=sgd,eps=1e-6", "eps" },
        { "schedule=constant,min_lr=1e-5", "schedule=constant does not read it" },
        { "schedule=cosine,steps=9,decay=0.5", "decay" }, { "schedule=step,start_lr=0.1", "start_lr" },
        { "pos_weight=\"1,1,1\"", "loss=ce does not read it (read by: bce bce_sum focal_bce bce_dice)" },
        { "loss=bce,weight_reduction=batch", "weight_reduction" }, { "weight_reduction=sum", "auto, weights or batch" },
        { "loss=bce,pos_weight=\"1,2\"", "pos_weight '1,2': expected 3 numbers" } };
    static const char *const good[] = { "optimizer=sgd,beta1=0.9,eps=1e-08", "momentum=0.90,nesterov=false",
                                        "schedule=constant,min_lr=0" };
    tiny t = tiny_make(&(tiny_spec){ .method = "ept" });
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        peft_options *o = tiny_options(t.ctx, "%s", bad[k].options);
        peft_trainer *x = NULL;
        FAILS(PEFT_E_OPTION, bad[k].part, peft_trainer_create(t.model, o, &x));
        ck_assert_ptr_null(x);
        peft_options_free(o);
    }
    for (size_t k = 0; k < sizeof good / sizeof *good; k++) peft_trainer_free(tiny_trainer(t.model, "%s", good[k]));
    tiny_free(&t);
}
END_TEST

/* Gradients and their norm are finite, the update overflows: the step reports it. */
START_TEST(an_overflowing_update_is_reported)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "linear" });
    tiny_batch b = tiny_first_batch(t.model, N);
    peft_trainer *x = tiny_trainer(t.model, "batch=%d,optimizer=sgd,momentum=0,lr=1e6,loss=bce_sum,"
                                   "class_weights=\"1e34,1e34,1e34\"", N);
    FAILS(PEFT_E_NONFINITE, "the update of step 0 made NaN or Inf in parameter 'head.",
          peft_trainer_step(x, b.images, b.targets, NULL));
    ck_assert(isfinite(peft_trainer_get(x, "grad_norm")));
    peft_trainer_free(x);
    tiny_batch_free(&b);
    tiny_free(&t);
}
END_TEST

SUITE_MAIN("objective", targets_out_of_range_are_refused, entries_without_a_label_are_left_out,
           a_batch_without_labels_changes_nothing, losses_with_weights_follow_their_formulas,
           decay_on_chooses_the_decayed_parameters, options_without_effect_are_refused,
           an_overflowing_update_is_reported)
