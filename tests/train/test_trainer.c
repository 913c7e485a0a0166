/* SPDX-License-Identifier: Apache-2.0
 * test_trainer.c -- the options of a trainer against their formulas: optimisers, weight decay, clipping, schedules,
 * groups, losses, accumulation; the feature cache and evaluation. */
#include <math.h>
#include "trainer_values.h"

/* --- the update formulas, checked on head.bias over three steps ------------------------------- */
enum { C = 3 };                          /* classes */

/* An optimiser: the trainer's options, and the same settings as numbers for the formulas (clip 0: no clipping). */
typedef struct rule { const char *options; bool adam, nesterov; double momentum, decay, clip; } rule;

/* Three steps: the bias of the head follows the formula of the optimiser. */
static void check_rule(const rule *r)
{
    const double lr = 0.05, beta1 = 0.8, beta2 = 0.9, eps = 1e-3;
    double m[C] = { 0 }, v[C] = { 0 };                                       /* moments */
    tiny t = tiny_make(&(tiny_spec){ .method = "ept" });
    char adam[64] = "";
    if (r->adam) snprintf(adam, sizeof adam, ",beta1=%g,beta2=%g,eps=%g", beta1, beta2, eps);
    peft_trainer *x = tiny_trainer(t.model, "batch=3,lr=%g%s,%s", lr, adam, r->options);
    for (int step = 0; step < 3; step++) {
        tiny_batch b = tiny_batch_make(t.model, 3, step);
        float before[C], g[C];
        double squares = 0, scale = 1;
        OK(peft_trainer_backward(x, b.images, b.labels, NULL));
        memcpy(before, values(t.model, "head.bias"), sizeof before);
        memcpy(g, gradient(t.model, "head.bias"), sizeof g);
        for (size_t i = 0; i < peft_model_param_count(t.model); i++) {
            const peft_tensor *d = peft_param_grad(peft_model_param(t.model, i));
            for (int64_t k = 0; k < peft_tensor_count(d); k++)
                squares += pow(((const float *)peft_tensor_cdata(d))[k], 2);
        }
        if (r->clip > 0) scale = fmin(1, r->clip / (sqrt(squares) + 1e-6));
        OK(peft_trainer_update(x));
        near(peft_trainer_get(x, "grad_norm"), sqrt(squares), 1e-5, "grad_norm");
        ck_assert(peft_trainer_get(x, "lr") == lr && peft_trainer_get(x, "step") == step + 1);
        for (int i = 0; i < C; i++) {
            double p = before[i], d = g[i] * scale;
            if (r->adam) {
                m[i] = beta1 * m[i] + (1 - beta1) * d;
                v[i] = beta2 * v[i] + (1 - beta2) * d * d;
                double mean = m[i] / (1 - pow(beta1, step + 1)), square = v[i] / (1 - pow(beta2, step + 1));
                p = p * (1 - lr * r->decay) - lr * mean / (sqrt(square) + eps);
            } else {
                d += r->decay * p;
                m[i] = step ? r->momentum * m[i] + d : d;
                p -= lr * (r->nesterov ? d + r->momentum * m[i] : m[i]);
            }
            near(values(t.model, "head.bias")[i], p, 1e-5, r->options);
        }
        tiny_batch_free(&b);
    }
    peft_trainer_free(x);
    tiny_free(&t);
}

START_TEST(updates_follow_their_formulas)
{
    static const rule rules[] = {
        { "optimizer=adamw", .adam = true },
        { "optimizer=adamw,weight_decay=0.3,clip_norm=0.01", .adam = true, .decay = 0.3, .clip = 0.01 },
        { "optimizer=sgd,momentum=0.7", .momentum = 0.7 },
        { "optimizer=sgd,momentum=0", .momentum = 0 },
        { "optimizer=sgd,momentum=0,weight_decay=0.3", .decay = 0.3 },
        { "optimizer=sgd,momentum=0.7,nesterov=true,weight_decay=0.3,clip_norm=0.01", .nesterov = true,
          .momentum = 0.7, .decay = 0.3, .clip = 0.01 },
        { "optimizer=sgd,momentum=0.7,clip_norm=1e9", .momentum = 0.7, .clip = 1e9 } };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) check_rule(&rules[i]);
}
END_TEST

START_TEST(groups_scale_rate_and_decay)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "bitfit" });
    peft_trainer *x = tiny_trainer(t.model, "batch=3,lr=0.1,weight_decay=0.1,optimizer=sgd,momentum=0");
    float norm[48], bias[C], weight[C];
    OK(peft_trainer_group(x, "blocks.?.norm*", 0, 5));
    OK(peft_trainer_group(x, "head.*", 3, 0));
    OK(peft_trainer_group(x, "head.bias", 0.5, 0.2));
    memcpy(norm, values(t.model, "blocks.1.norm1.bias"), sizeof norm);
    memcpy(bias, values(t.model, "head.bias"), sizeof bias);
    memcpy(weight, values(t.model, "head.weight"), sizeof weight);
    tiny_step(x, 3, 0);
    ck_assert_mem_eq(norm, values(t.model, "blocks.1.norm1.bias"), sizeof norm);
    for (int i = 0; i < C; i++) {
        near(values(t.model, "head.bias")[i], bias[i] - 0.05 * (gradient(t.model, "head.bias")[i] + 0.2 * bias[i]),
            1e-6, "head.bias");
        near(values(t.model, "head.weight")[i], weight[i] - 0.3 * gradient(t.model, "head.weight")[i], 1e-6,
            "head.weight");
    }
    peft_trainer_free(x);
    tiny_free(&t);
}
END_TEST

static char warning[600];
static int warnings;
static void keep_warning(int level, const char *message, void *user)
{
    (void)user;
    if (level > 1) return;
    warnings++;
    snprintf(warning, sizeof warning, "%s", message);
}

/* A run with more updates than its schedule, whose rate is 0 by then, logs one warning. */
START_TEST(a_run_beyond_its_schedule_is_warned_of_once)
{
    static const struct { const char *options; int warnings; } table[] = {
        { "schedule=cosine,steps=3", 1 }, { "schedule=cosine,steps=6", 0 },
        { "schedule=cosine,steps=3,min_lr=0.01", 0 }, { "schedule=warmup_cosine,warmup=2,steps=4", 1 },
        { "schedule=constant,steps=3", 0 } };
    for (size_t k = 0; k < sizeof table / sizeof *table; k++) {
        tiny t = tiny_make(&(tiny_spec){ .method = "linear" });
        OK(peft_context_set_log(t.ctx, keep_warning, NULL, 1));
        peft_trainer *x = tiny_trainer(t.model, "batch=2,lr=0.1,%s", table[k].options);
        warnings = 0;
        for (int i = 0; i < 6; i++) tiny_step(x, 2, i);
        ck_assert_msg(warnings == table[k].warnings, "%s: %d warnings, the last: %s", table[k].options, warnings,
                      warning);
        if (warnings) ck_assert(strstr(warning, "the learning rate is 0") && strstr(warning, "steps counts updates"));
        OK(peft_context_set_log(t.ctx, NULL, NULL, 1));
        peft_trainer_free(x);
        tiny_free(&t);
    }
}
END_TEST

/* With accumulation the loss is the mean over the passes of the update, also after restoring a state saved between two
 * passes. */
START_TEST(the_loss_of_an_update_is_the_mean_of_its_passes)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "linear" });
    peft_trainer *single = tiny_trainer(t.model, "batch=2,lr=0,accumulate=%d", 1);
    double loss[3];
    for (int i = 0; i < 3; i++) {
        tiny_step(single, 2, 5 * i);
        loss[i] = peft_trainer_get(single, "loss");
    }
    peft_trainer_free(single);
    ck_assert(fabs(loss[0] - loss[1]) > 1e-3 && fabs(loss[1] - loss[2]) > 1e-3);
    peft_trainer *x = tiny_trainer(t.model, "batch=2,lr=0,accumulate=%d", 3);
    for (int i = 0; i < 3; i++) {
        double sum = 0;
        tiny_step(x, 2, 5 * i);
        for (int k = 0; k <= i; k++) sum += loss[k];
        near(peft_trainer_get(x, "loss"), sum / (i + 1), 1e-6, "loss");
        if (i != 1) continue;
        OK(peft_trainer_save(x, tiny_path("state")));
        tiny_step(x, 2, 1);
        OK(peft_trainer_restore(x, tiny_path("state")));
    }
    tiny_step(x, 2, 5);
    near(peft_trainer_get(x, "loss"), loss[1], 1e-6, "loss of the next update's first pass");
    peft_trainer_free(x);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

START_TEST(losses_of_one_class_are_refused)
{
    peft_trainer *x = NULL;
    tiny t = tiny_make(&(tiny_spec){ .method = "linear", .model = "classes=1" });
    static const char *const losses[] = { "loss=ce", "loss=soft_ce" };
    for (int i = 0; i < 2; i++) {
        peft_options *o = tiny_options(t.ctx, "%s", losses[i]);
        FAILS(PEFT_E_OPTION, "1 class, whose softmax is always 1", peft_trainer_create(t.model, o, &x));
        peft_options_free(o);
    }
    x = tiny_trainer(t.model, "loss=%s", "bce");
    tiny_step(x, 2, 0);
    peft_trainer_free(x);
    tiny_free(&t);
}
END_TEST

START_TEST(schedules_reach_the_optimiser)
{
    static const struct { const char *options; double lr[6]; } table[] = {
        { "schedule=constant", { 0.1, 0.1, 0.1, 0.1, 0.1, 0.1 } },
        { "schedule=step,decay_every=2,decay=0.5", { 0.1, 0.1, 0.05, 0.05, 0.025, 0.025 } },
        { "schedule=cosine,steps=4,min_lr=0.02", { 0.1, 0.088284271, 0.06, 0.031715729, 0.02, 0.02 } },
        { "schedule=warmup_cosine,steps=4,warmup=2,start_lr=0.01", { 0.01, 0.055, 0.1, 0.05, 0, 0 } },
        { "schedule=cosine,steps=4,steps_per_epoch=2", { 0.1, 0.1, 0.05, 0.05, 0, 0 } } };
    for (size_t k = 0; k < sizeof table / sizeof *table; k++) {
        tiny t = tiny_make(&(tiny_spec){ .method = "linear" });
        peft_trainer *x = tiny_trainer(t.model, "batch=2,lr=0.1,optimizer=sgd,momentum=0,%s", table[k].options);
        for (int i = 0; i < 6; i++) {
            double before = values(t.model, "head.bias")[0];
            tiny_step(x, 2, i);
            near(peft_trainer_get(x, "lr"), table[k].lr[i], 1e-8, table[k].options);
            near(values(t.model, "head.bias")[0], before - table[k].lr[i] * gradient(t.model, "head.bias")[0], 1e-6,
                "update");
        }
        peft_trainer_free(x);
        tiny_free(&t);
    }
}
END_TEST

/* --- losses ----------------------------------------------------------------------------------- */
/* The logarithm of the probability of class y, of logits x [C]. */
static double log_softmax(const float *x, int64_t y)
{
    double sum = 0;
    for (int c = 0; c < C; c++) sum += exp(x[c]);
    return x[y] - log(sum);
}

START_TEST(losses_follow_their_formulas)
{
    enum { CE_SMOOTH, CE_WEIGHTED, BCE_WEIGHTED, BCE_SUM, SOFT_CE_SMOOTH, LOSSES };
    static const char *const options[LOSSES] = {
        [CE_SMOOTH] = "label_smoothing=0.3", [CE_WEIGHTED] = "class_weights=\"[1, 2, 5]\"",
        [BCE_WEIGHTED] = "loss=bce,class_weights=\"1,2,5\"", [BCE_SUM] = "loss=bce_sum",
        [SOFT_CE_SMOOTH] = "loss=soft_ce,label_smoothing=0.3" };
    const double w[C] = { 1, 2, 5 }, smooth = 0.3;
    for (int k = 0; k < LOSSES; k++) {
        tiny t = tiny_make(&(tiny_spec){ .method = "linear" });
        tiny_batch b = tiny_first_batch(t.model, 4);
        float *shares = peft_tensor_data(b.targets);
        /* shares that add up to 1: 0 2 0 / 2, 1 3 1 / 5, 2 0 2 / 4, 3 1 3 / 7 */
        for (int i = 0; k == SOFT_CE_SMOOTH && i < 4; i++)
            for (int c = 0; c < C; c++) shares[i * C + c] = (float)((i + 2 * c) % 4) / (float[]){ 2, 5, 4, 7 }[i];
        peft_trainer *x = tiny_trainer(t.model, "batch=4,%s", options[k]);
        OK(peft_trainer_backward(x, b.images, k <= CE_WEIGHTED ? b.labels : b.targets, NULL));
        const float *logits = peft_tensor_cdata(peft_trainer_logits(x)), *target = peft_tensor_cdata(b.targets);
        const int64_t *y = peft_tensor_cdata(b.labels);
        double sum = 0, weights = 0;
        for (int i = 0; i < 4; i++) {
            for (int c = 0; c < C; c++) {
                double z = logits[i * C + c], share = (y[i] == c ? 1 - smooth : 0) + smooth / C;
                if (k == SOFT_CE_SMOOTH) share = (1 - smooth) * target[i * C + c] + smooth / C;
                if (k == CE_SMOOTH || k == SOFT_CE_SMOOTH) sum -= share * log_softmax(logits + i * C, c);
                if (k == BCE_WEIGHTED || k == BCE_SUM)
                    sum += (k == BCE_WEIGHTED ? w[c] : 1) * (log1p(exp(z)) - target[i * C + c] * z);
            }
            if (k == CE_WEIGHTED) sum -= w[y[i]] * log_softmax(logits + i * C, y[i]);
            weights += w[y[i]];
        }
        const double divisor = k == CE_WEIGHTED ? weights : k == BCE_WEIGHTED ? 4 * C : 4;
        near(peft_trainer_get(x, "loss"), sum / divisor, 1e-5, options[k]);
        peft_trainer_free(x);
        tiny_batch_free(&b);
        tiny_free(&t);
    }
}
END_TEST

/* --- the feature cache ------------------------------------------------------------------------ */
/* Records a run of twelve steps with the options `cache`; asserts that the cache was hit min_hits times or more. */
static void record_cached(const tiny_spec *spec, const char *cache, int64_t min_hits, tiny_bits *bits)
{
    tiny t = tiny_make(spec);
    peft_trainer *x = tiny_trainer(t.model, "batch=3,lr=1e-2%s", cache);
    for (int epoch = 0; epoch < 3; epoch++) {
        tiny_step(x, 3, epoch);                                              /* mixes cached samples with new ones */
        tiny_step(x, 3, 6);
        tiny_step(x, 2, 9);
        tiny_step(x, 3, epoch % 2 ? 1 : 0);
    }
    ck_assert_msg(peft_trainer_get(x, "cache_hits") >= (double)min_hits, "%s%s: %g hits", spec->method, cache,
        peft_trainer_get(x, "cache_hits"));
    tiny_bits_training(bits, x);
    peft_trainer_free(x);
    tiny_free(&t);
}

START_TEST(cached_features_change_no_bit)
{
    enum { TOO_SMALL = 2 };                                                  /* of no use: less than one sample */
    static const char *const caches[] = { ",cache_features=1000000", ",cache_features=1000",
        [TOO_SMALL] = ",cache_features=10", ",cache_features=800,threads=2" };
    for (size_t i = 0; i < tiny_method_count(); i++)
        for (int h = 0; h < 2; h++) {
            const char *method = tiny_method_name(i);
            tiny_spec spec = { .method = method, .model = h ? "classes=3,head=bn_linear,pool=mean" : "classes=3" };
            tiny_bits without = { 0 };
            record_cached(&spec, "", 0, &without);
            for (int k = 0; k < 4; k++) {
                tiny_bits with = { 0 };
                /* methods whose frozen part at the network's start is worth keeping (of partial: larger samples) */
                bool hits = !strcmp(method, "linear") || (!strcmp(method, "partial") && k == 0);
                record_cached(&spec, caches[k], hits && k != TOO_SMALL ? 6 : 0, &with);
                tiny_same(&without, &with, method);
            }
            tiny_bits_free(&without);
        }
}
END_TEST

/* --- evaluation ------------------------------------------------------------------------------- */
START_TEST(evaluation_equals_the_session)
{
    for (size_t i = 0; i < tiny_method_count(); i++) {
        tiny t = tiny_make(&(tiny_spec){ .method = tiny_method_name(i), .model = "classes=3,head=bn_linear" });
        peft_trainer *x = tiny_trainer(t.model, "batch=4");
        peft_session *s = tiny_session(t.model, "batch=3");
        tiny_batch b = tiny_batch_make(t.model, 3, 5);
        peft_tensor *predicted = tiny_tensor(t.ctx, PEFT_F32, 2, 3, C);
        peft_tensor *evaluated = tiny_tensor(t.ctx, PEFT_F32, 2, 3, C);
        float logits[3 * C];
        for (int step = 0; step < 2; step++) {
            tiny_step(x, 4, 4 * step);
            tiny_step(x, 3, 5);
            ck_assert_int_eq(peft_tensor_dim(peft_trainer_logits(x), 0), 3);
            memcpy(logits, peft_tensor_cdata(peft_trainer_logits(x)), sizeof logits);
            OK(peft_trainer_evaluate(x, b.images, evaluated));
            OK(peft_session_predict(s, b.images, predicted));
            ck_assert_mem_eq(peft_tensor_cdata(evaluated), peft_tensor_cdata(predicted), sizeof logits);
            /* evaluate does not change the logits of the last step */
            ck_assert_mem_eq(peft_tensor_cdata(peft_trainer_logits(x)), logits, sizeof logits);
        }
        peft_tensor_free(predicted);
        peft_tensor_free(evaluated);
        tiny_batch_free(&b);
        peft_session_free(s);
        peft_trainer_free(x);
        tiny_free(&t);
    }
}
END_TEST

START_TEST(every_option_is_listed)
{
    const peft_option *row;
    char all[2048] = "";
    size_t n = 0;
    for (; (row = peft_trainer_option(n)); n++) {
        ck_assert_ptr_eq(row, &pf_trainer_options[n]);
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s=\"%s\"", n ? "," : "", peft_option_name(row),
                 peft_option_fallback(row));
    }
    ck_assert(n > 0 && strlen(all) < sizeof all - 1);
    ck_assert_ptr_null(pf_trainer_options[n].name);
    tiny t = tiny_make(&(tiny_spec){ .method = "ept" });
    /* a trainer accepts all options with their defaults */
    peft_trainer *x = tiny_trainer(t.model, "%s", all);
    tiny_step(x, 4, 0);
    peft_trainer_free(x);
    tiny_free(&t);
}
END_TEST

SUITE_MAIN("trainer", updates_follow_their_formulas, groups_scale_rate_and_decay, schedules_reach_the_optimiser,
           a_run_beyond_its_schedule_is_warned_of_once, the_loss_of_an_update_is_the_mean_of_its_passes,
           losses_of_one_class_are_refused, losses_follow_their_formulas, cached_features_change_no_bit,
           evaluation_equals_the_session, every_option_is_listed)
