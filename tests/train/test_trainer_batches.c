/* SPDX-License-Identifier: Apache-2.0
 * test_trainer_batches.c -- batches smaller than the option `batch`: accumulation against one larger batch, short
 * batches against trainers made for their size, a last batch of one sample with batch norm. */
#include <math.h>
#include "trainer_values.h"

/* All parameters of two models are equal within the tolerance. */
static void check_near_models(peft_model *a, peft_model *b, double tolerance, const char *what)
{
    for (size_t i = 0; i < peft_model_param_count(a); i++) {
        const peft_tensor *p = peft_param_value(peft_model_param(a, i)), *q = peft_param_value(peft_model_param(b, i));
        for (int64_t k = 0; k < peft_tensor_count(p); k++)
            near(((const float *)peft_tensor_cdata(p))[k], ((const float *)peft_tensor_cdata(q))[k], tolerance, what);
    }
}

/* Two backward passes of two samples give the update of one pass of four, within rounding. */
START_TEST(accumulation_equals_a_larger_batch)
{
    static const char *const losses[] = { "loss=ce", "loss=ce,label_smoothing=0.2", "loss=bce", "loss=bce_sum",
                                          "loss=ce,class_weights=\"1,2,5\",weight_reduction=batch" };
    for (size_t k = 0; k < sizeof losses / sizeof *losses; k++)
        for (size_t i = 0; i < tiny_method_count(); i++) {
            /* dropout draws by the position in the batch, which differs */
            const tiny_spec spec = { .method = tiny_method_name(i),
                                     .adapter = tiny_has_option(tiny_method_name(i), "dropout") ? "dropout=0" : NULL };
            tiny a = tiny_make(&spec), b = tiny_make(&spec);
            peft_trainer *whole = tiny_trainer(a.model, "batch=4,optimizer=sgd,lr=0.1,%s", losses[k]);
            peft_trainer *parts = tiny_trainer(b.model, "batch=2,optimizer=sgd,lr=0.1,accumulate=2,%s", losses[k]);
            for (int step = 0; step < 3; step++) {
                tiny_step(whole, 4, 4 * step);
                tiny_step(parts, 2, 4 * step);
                ck_assert(peft_trainer_get(parts, "step") == step);
                tiny_step(parts, 2, 4 * step + 2);
                ck_assert(peft_trainer_get(parts, "step") == step + 1);
            }
            check_near_models(a.model, b.model, 1e-6, tiny_method_name(i));
            peft_trainer_free(whole);
            peft_trainer_free(parts);
            tiny_free(&a);
            tiny_free(&b);
        }
}
END_TEST

/* Batches of four samples give the same bits with batch=4 and batch=7. */
START_TEST(short_batches_train_to_the_same_bits)
{
    for (size_t i = 0; i < tiny_method_count(); i++) {
        tiny_bits bits[2] = { { 0 } };
        for (int k = 0; k < 2; k++) {
            tiny t = tiny_make(&(tiny_spec){ .method = tiny_method_name(i) });
            peft_trainer *x = tiny_trainer(t.model, "batch=%d,lr=1e-2", k ? 7 : 4);
            for (int step = 0; step < 3; step++) tiny_step(x, step == 1 ? 1 : 4, 4 * step);
            ck_assert(peft_trainer_get(x, "samples") == 9);
            tiny_bits_training(&bits[k], x);
            peft_trainer_free(x);
            tiny_free(&t);
        }
        tiny_same(&bits[0], &bits[1], tiny_method_name(i));
        tiny_bits_free(&bits[0]);
    }
}
END_TEST

/* Records gradients, logits and loss of n samples, by a trainer made for `batch`. */
static void gradients_of(const tiny_spec *spec, const char *options, int batch, int n, tiny_bits *bits)
{
    tiny t = tiny_make(spec);
    peft_trainer *x = tiny_trainer(t.model, "batch=%d%s", batch, options);
    tiny_batch b = tiny_batch_make(t.model, n, 3), other = tiny_batch_make(t.model, batch, 40);
    if (batch > n) {
        /* leaves values in the unused rows, which must not count */
        OK(peft_trainer_step(x, other.images, other.labels, NULL));
        OK(peft_trainer_backward(x, other.images, other.labels, NULL));
        x->step = x->pending = 0;                         /* as in a new trainer: dropout draws by the step */
    }
    OK(peft_trainer_backward(x, b.images, b.labels, b.ids));
    tiny_bits_grads(bits, t.model);
    tiny_bits_tensor(bits, "logits", peft_trainer_logits(x));
    tiny_bits_add(bits, "loss", &x->last_loss, sizeof x->last_loss);
    tiny_batch_free(&b);
    tiny_batch_free(&other);
    peft_trainer_free(x);
    tiny_free(&t);
}

/* Batches of 1 to 6 samples (batch norm: of 2 or more), each by a trainer made for that size and one made for 7. */
static void check_sizes(const tiny_spec *spec, const char *options)
{
    for (int n = strstr(spec->model, "bn_") || strstr(spec->model, "mlp") ? 2 : 1; n <= 6; n++) {
        tiny_bits expected = { 0 }, got = { 0 };
        char name[120];
        gradients_of(spec, options, n, n, &expected);
        gradients_of(spec, options, 7, n, &got);
        snprintf(name, sizeof name, "%s%s, %d of 7", spec->method, options, n);
        tiny_same(&expected, &got, name);
        tiny_bits_free(&expected);
    }
}

START_TEST(gradients_do_not_depend_on_the_batch_option)
{
    for (size_t i = 0; i < tiny_method_count(); i++) {
        check_sizes(&(tiny_spec){ .method = tiny_method_name(i), .model = "classes=3" }, ",lr=0");
        check_sizes(&(tiny_spec){ .method = tiny_method_name(i), .model = "classes=3" },
                    ",lr=0,cache_features=1000000");
    }
    check_sizes(&(tiny_spec){ .method = "linear", .model = "classes=3,head=bn_linear" }, ",lr=0,executor=naive");
    check_sizes(&(tiny_spec){ .method = "lora", .adapter = "dropout=0.5", .model = "classes=3,head=mlp" },
                ",lr=0,threads=3");
    check_sizes(&(tiny_spec){ .method = "full", .isa = "ref", .model = "classes=3" }, ",lr=0");
}
END_TEST

START_TEST(batch_norm_refuses_a_batch_of_one_sample)
{
    peft_trainer *x = NULL;
    static const struct { const char *options, *message; } rows[] = {
        { "batch=4,samples=17", "given 4; of 17 samples it leaves 1" }, { "batch=16,samples=1", "of 1 samples" },
        { "batch=1", "given 1, but head bn_linear" }, { "batch=4,samples=18", NULL }, { "batch=4,samples=16", NULL } };
    tiny t = tiny_make(&(tiny_spec){ .method = "linear", .model = "classes=3,head=bn_linear" });
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        peft_options *o = tiny_options(t.ctx, "%s", rows[i].options);
        if (rows[i].message) FAILS(PEFT_E_OPTION, rows[i].message, peft_trainer_create(t.model, o, &x));
        else OK(peft_trainer_create(t.model, o, &x));
        peft_options_free(o);
        if (rows[i].message) continue;
        tiny_batch b = tiny_first_batch(t.model, 1);
        FAILS(PEFT_E_SHAPE, "drop_last", peft_trainer_step(x, b.images, b.labels, NULL));
        tiny_step(x, 4, 0);
        tiny_batch_free(&b);
        peft_trainer_free(x);
    }
    tiny_free(&t);
    t = tiny_make(&(tiny_spec){ .method = "linear" });
    x = tiny_trainer(t.model, "batch=4,samples=%d", 17);
    tiny_step(x, 1, 0);
    peft_trainer_free(x);
    tiny_free(&t);
}
END_TEST

SUITE_MAIN("trainer_batches", accumulation_equals_a_larger_batch, short_batches_train_to_the_same_bits,
           gradients_do_not_depend_on_the_batch_option, batch_norm_refuses_a_batch_of_one_sample)
