/* SPDX-License-Identifier: Apache-2.0
 * double_invariants.c -- what must hold exactly, or to rounding, by the mathematics of the methods (EPT: logits that
 * leave only their mass in a softmax), and can be said without any reference implementation. */
#include "differences.h"
#include "tiny.h"

enum { BATCH = 3, LENGTH = 5 };
#define BACKBONE "image_size=16,patch=4,width=24,mlp=40,depth=3,heads=3,classes=4"

/* A model of one backbone with up to two methods on it; the head is the backbone's when classes is 0. */
static tiny make(const char *more, const char *method, const char *options, const char *second, int classes)
{
    tiny t = { .ctx = tiny_context(NULL, 1) };
    char model[32];
    snprintf(model, sizeof model, "classes=%d", classes);
    t.backbone = tiny_backbone(t.ctx, BACKBONE, more);
    for (size_t i = 0; i < t.backbone->weights; i++)
        tiny_shake_tensor(&t.backbone->weight[i].tensor, t.backbone->weight[i].name, 0.3);
    t.model = tiny_model(t.backbone, model);
    if (method) {
        t.adapter = tiny_adapter(t.backbone, method, options);
        OK(peft_model_attach(t.model, t.adapter));
    }
    if (second) {
        peft_adapter *a = tiny_adapter(t.backbone, second, NULL);
        OK(peft_model_attach(t.model, a));
        peft_adapter_free(a);
    }
    return t;
}

static peft_tensor *logits_of(const tiny *t)
{
    tiny_batch b = tiny_batch_make(t->model, BATCH, 0);
    peft_session *s = tiny_session(t->model, "batch=%d", BATCH);
    peft_tensor *logits = tiny_tensor(t->ctx, PF_REAL, 2, BATCH, (int)t->model->classes);
    OK(peft_session_predict(s, b.images, logits));
    tiny_finite(logits, "logits");
    peft_session_free(s);
    tiny_batch_free(&b);
    return logits;
}

/* Largest difference, relative to the largest logit; frees both. */
static double apart(peft_tensor *a, peft_tensor *b)
{
    const pk_real *x = peft_tensor_cdata(a), *y = peft_tensor_cdata(b);
    double worst = 0, top = largest(y, peft_tensor_count(b));
    for (int64_t i = 0; i < peft_tensor_count(a); i++) worst = fmax(worst, fabs((double)x[i] - (double)y[i]) / top);
    peft_tensor_free(a);
    peft_tensor_free(b);
    return worst;
}

static peft_tensor *prompt_of(tiny *t, const char *name)
{
    peft_param *p = peft_model_find_param(t->model, name);
    ck_assert_msg(p, "no parameter %s", name);
    return peft_param_value(p);
}

static void set_all(peft_tensor *t, double v)
{
    pk_real *x = peft_tensor_data(t);
    for (int64_t i = 0; i < peft_tensor_count(t); i++) x[i] = (pk_real)v;
}

START_TEST(no_mass_no_change)
{
    tiny plain = make(NULL, NULL, NULL, NULL, 0), ept = make(NULL, "ept", "length=5", NULL, 0);
    set_all(prompt_of(&ept, "prompt"), -1e30);
    peft_tensor *a = logits_of(&ept), *b = logits_of(&plain);
    ck_assert(!memcmp(peft_tensor_cdata(a), peft_tensor_cdata(b), pf_tensor_bytes(a)));
    peft_tensor_free(a);
    set_all(prompt_of(&ept, "prompt"), 0);
    ck_assert_double_gt(apart(logits_of(&ept), b), 1e-6);
    tiny_free(&plain);
    tiny_free(&ept);
}
END_TEST

START_TEST(order_of_prompt_entries)
{
    tiny t = make(NULL, "ept", "length=5", NULL, 0);
    peft_tensor *p = prompt_of(&t, "prompt");
    tiny_shake_tensor(p, "prompt", 2);
    peft_tensor *before = logits_of(&t);
    pk_real *x = peft_tensor_data(p);
    for (int64_t i = 0; i < peft_tensor_count(p); i += LENGTH)
        for (int k = 0; k < LENGTH / 2; k++) {
            pk_real v = x[i + k];
            x[i + k] = x[i + LENGTH - 1 - k];
            x[i + LENGTH - 1 - k] = v;
        }
    ck_assert_double_le(apart(logits_of(&t), before), 1e-12);
    tiny_free(&t);
}
END_TEST

START_TEST(length_is_a_sum)
{
    tiny one = make(NULL, "ept", "length=1", NULL, 0), many = make(NULL, "ept", "length=5,init=zero", NULL, 0);
    set_all(prompt_of(&one, "prompt"), log(LENGTH));
    ck_assert_double_le(apart(logits_of(&one), logits_of(&many)), 1e-12);
    set_all(prompt_of(&one, "prompt"), log(LENGTH + 1));
    ck_assert_double_gt(apart(logits_of(&one), logits_of(&many)), 1e-6);
    tiny_free(&one);
    tiny_free(&many);
}
END_TEST

static peft_trainer *backward(const tiny *t)
{
    tiny_batch b = tiny_batch_make(t->model, BATCH, 0);
    peft_trainer *r = tiny_trainer(t->model, "batch=%d", BATCH);
    OK(peft_trainer_backward(r, b.images, b.labels, NULL));
    tiny_batch_free(&b);
    return r;
}

/* Rows 1.. of the last block's prompt reach the loss only where patch tokens are pooled. */
START_TEST(rows_nobody_reads)
{
    for (int mean = 0; mean < 2; mean++) {
        tiny t = make(mean ? "pool=mean" : NULL, "ept", "length=5", NULL, 3);
        tiny_shake(t.model);
        peft_trainer *r = backward(&t);
        const peft_param *p = peft_model_find_param(t.model, "prompt");
        const int64_t layers = p->value.dim[0], rows = p->value.dim[1];
        const pk_real *g = peft_tensor_cdata(peft_param_grad(p));
        for (int64_t i = 0; i < layers * rows; i++) {
            bool read = i / rows < layers - 1 || (i % rows > 0) == mean;
            double top = largest(g + i * LENGTH, LENGTH);
            ck_assert_msg(read ? top > 0 : top == 0, "pool %d, layer %d, row %d: gradient up to %g", mean,
                          (int)(i / rows), (int)(i % rows), top);
        }
        peft_trainer_free(r);
        tiny_free(&t);
    }
}
END_TEST

/* Each row's gradient is softmax(row) times one number, its sum. */
START_TEST(a_row_has_one_gradient)
{
    tiny t = make(NULL, "ept", "length=5", NULL, 3);
    peft_param *p = peft_model_find_param(t.model, "prompt");
    tiny_shake_tensor(&p->value, "prompt", 2);
    peft_trainer *r = backward(&t);
    const pk_real *x = p->value.data, *g = p->grad.data;
    double top = largest(g, peft_tensor_count(&p->value));
    for (int64_t i = 0; i < peft_tensor_count(&p->value); i += LENGTH) {
        double mass = 0, sum = 0;
        for (int k = 0; k < LENGTH; k++) {
            mass += exp((double)x[i + k]);
            sum += (double)g[i + k];
        }
        for (int k = 0; k < LENGTH; k++)
            ck_assert_double_le(fabs((double)g[i + k] - sum * exp((double)x[i + k]) / mass), 1e-12 * top);
    }
    peft_trainer_free(r);
    tiny_free(&t);
}
END_TEST

/* A softmax does not see what is added to all its logits; with a sink among them it does. */
START_TEST(key_bias_has_no_gradient)
{
    for (int sink = 0; sink < 2; sink++) {
        tiny t = make(NULL, "bitfit", NULL, sink ? "ept" : NULL, 3);
        tiny_shake(t.model);
        peft_trainer *r = backward(&t);
        for (int l = 0; l < 3; l++) {
            char name[40];
            snprintf(name, sizeof name, "blocks.%d.attn.qkv.bias", l);
            const peft_param *p = peft_model_find_param(t.model, name);
            const int64_t d = p->value.dim[0] / 3;
            const pk_real *g = peft_tensor_cdata(peft_param_grad(p));
            double key = largest(g + d, d), top = largest(g, 3 * d);
            ck_assert_msg(sink ? key > 1e-6 * top : key <= 1e-12 * top, "%s, sink %d: %g of %g", name, sink, key, top);
        }
        peft_trainer_free(r);
        tiny_free(&t);
    }
}
END_TEST

/* Attention does not know the order of its keys. */
START_TEST(order_of_prompt_tokens)
{
    tiny t = make(NULL, "vpt", "tokens=3", NULL, 0);
    for (size_t i = 0; i < peft_model_param_count(t.model); i++) {
        pf_param *p = peft_model_param(t.model, i);
        if (strcmp(p->group, "prompt")) continue;
        tiny_shake_tensor(&p->value, p->name, 1);
    }
    peft_tensor *before = logits_of(&t);
    for (size_t i = 0; i < peft_model_param_count(t.model); i++) {
        pf_param *p = peft_model_param(t.model, i);
        if (strcmp(p->group, "prompt")) continue;
        int64_t d = p->value.dim[p->value.ndim - 1];
        pk_real *x = p->value.data, v;
        for (int64_t k = 0; k < peft_tensor_count(&p->value); k += 3 * d)           /* rows 0 and 2 change places */
            for (int64_t c = k; c < k + d; c++) {
                v = x[c];
                x[c] = x[c + 2 * d];
                x[c + 2 * d] = v;
            }
    }
    ck_assert_double_le(apart(logits_of(&t), before), 1e-12);
    tiny_free(&t);
}
END_TEST

SUITE_MAIN("invariants", no_mass_no_change, order_of_prompt_entries, length_is_a_sum, rows_nobody_reads,
           a_row_has_one_gradient, key_bias_has_no_gradient, order_of_prompt_tokens)
