/* SPDX-License-Identifier: Apache-2.0
 * double_invariants.c -- what must hold exactly, or to rounding, by the mathematics of the methods (EPT: logits that
 * leave only their mass in a softmax), and can be said without any reference implementation. */
#include "invariants.h"
#include "lab.h"

enum { LENGTH = 5 };

static peft_tensor *prompt_of(const tiny *t, const char *name)
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

/* The sink against the two forms it stands for: prompt columns in the softmax that are cut off behind it, and plain
 * attention times sigmoid(lse(scores) - lse(prompt)). */
START_TEST(a_sink_is_what_is_cut_off)
{
    enum { B = 2, T = 6, D = 8, H = 2, DH = D / H };
    peft_context *ctx = tiny_context(NULL, 1);
    lab l;
    lab_open(&l, ctx, 5, UINT64_MAX, PLAIN);
    l.g.spec.training = false;
    peft_site s = { .q = LEAF(&l, B, T, D), .k = LEAF(&l, B, T, D), .v = LEAF(&l, B, T, D) };
    s.sink = peft_sys_logsumexp(&l.g, LEAF(&l, T, LENGTH));
    pf_val y = peft_sys_attention(&l.g, H, &s);
    LAB_OK(&l, l.g.status);
    pf_v(&l.g, y)->keep = true;
    LAB_OK(&l, pf_compile(&l.g, PF_NONE));
    lab_bind(&l, 0);
    pf_exec_run(&l.e, 0, l.e.g.nodes);
    const pk_real *q = l.leaf[0]->value.data, *k = l.leaf[1]->value.data, *v = l.leaf[2]->value.data,
                  *p = l.leaf[3]->value.data, *got = pf_exec_data(&l.e, y);
    for (int row = 0; row < B * T; row++)
        for (int h = 0; h < H; h++) {
            const int first = row / T * T;                   /* of this sample */
            double e[T], plain = 0, prompt = 0;
            for (int j = 0; j < LENGTH; j++) prompt += exp((double)p[row % T * LENGTH + j]);
            for (int j = 0; j < T; j++) {
                double dot = 0;
                for (int c = h * DH; c < (h + 1) * DH; c++)
                    dot += (double)q[row * D + c] * (double)k[(first + j) * D + c];
                plain += e[j] = exp(dot / sqrt((double)DH));
            }
            for (int c = h * DH; c < (h + 1) * DH; c++) {
                double cut = 0, kept = 0, gate = 1 / (1 + exp(log(prompt) - log(plain)));
                for (int j = 0; j < T; j++) {
                    cut += e[j] / (plain + prompt) * (double)v[(first + j) * D + c];
                    kept += e[j] / plain * (double)v[(first + j) * D + c];
                }
                ck_assert_double_le(fabs((double)got[row * D + c] - cut), 1e-12);
                ck_assert_double_le(fabs((double)got[row * D + c] - kept * gate), 1e-12);
            }
        }
    lab_close(&l);
    peft_context_free(ctx);
}
END_TEST

/* The mass that each key receives is that of the softmax itself, with the scale of each head, a sink and extra keys. */
START_TEST(mass_is_a_column_mean_of_the_softmax)
{
    enum { B = 2, T = 6, D = 8, H = 2, DH = D / H, EXTRA = 3 };
    peft_context *ctx = tiny_context(NULL, 1);
    for (int form = 0; form < 8; form++) {                   /* bits: row 0 alone, head_scale, sink and extra keys */
        lab l;
        lab_open(&l, ctx, 5, UINT64_MAX, PLAIN);
        l.g.spec.training = false;
        peft_site s = { .q = LEAF(&l, B, T, D), .k = LEAF(&l, B, T, D), .v = LEAF(&l, B, T, D) };
        pf_val scale = LEAF(&l, H), sink = LEAF(&l, T), xk = LEAF(&l, EXTRA, D), xv = LEAF(&l, EXTRA, D);
        if (form & 2) s.head_scale = scale;
        if (form & 4) s.sink = sink, s.xk = xk, s.xv = xv;
        pf_val mass = peft_sys_attention_mass(&l.g, H, &s, form & 1);
        LAB_OK(&l, l.g.status);
        pf_v(&l.g, mass)->keep = true;
        LAB_OK(&l, pf_compile(&l.g, PF_NONE));
        lab_bind(&l, 0);
        pf_exec_run(&l.e, 0, l.e.g.nodes);
        const pk_real *q = l.leaf[0]->value.data, *k = l.leaf[1]->value.data, *a = l.leaf[3]->value.data,
                      *z = l.leaf[4]->value.data, *more = l.leaf[5]->value.data, *got = pf_exec_data(&l.e, mass);
        for (int i = 0; i < B * H; i++) {
            const int b = i / H, h = i % H, rows = form & 1 ? 1 : T;
            double want[T] = { 0 };
            for (int row = 0; row < rows; row++) {
                double e[T], sum = form & 4 ? exp((double)z[row]) : 0;
                for (int j = 0; j < T + (form & 4 ? EXTRA : 0); j++) {
                    const pk_real *key = j < T ? k + (b * T + j) * D : more + (j - T) * D;
                    double dot = 0;
                    for (int c = h * DH; c < (h + 1) * DH; c++)
                        dot += (double)q[(b * T + row) * D + c] * (double)key[c];
                    const double x = exp(dot / sqrt((double)DH) * (form & 2 ? (double)a[h] : 1));
                    if (j < T) e[j] = x;
                    sum += x;
                }
                for (int j = 0; j < T; j++) want[j] += e[j] / sum / rows;
            }
            for (int j = 0; j < T; j++)
                ck_assert_msg(fabs((double)got[i * T + j] - want[j]) <= 1e-12, "form %d, head %d, key %d: %g not %g",
                              form, i, j, (double)got[i * T + j], want[j]);
        }
        lab_close(&l);
    }
    peft_context_free(ctx);
}
END_TEST

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

/* A prompt of one entry a row that has the mass of t's: z = lse(row). */
static tiny one_entry(const tiny *t)
{
    tiny one = make(NULL, "ept", "length=1", NULL, 3);
    const pk_real *x = peft_tensor_cdata(prompt_of(t, "prompt"));
    pk_real *z = peft_tensor_data(prompt_of(&one, "prompt"));
    for (int64_t i = 0; i < peft_tensor_count(prompt_of(&one, "prompt")); i++) {
        double mass = 0;
        for (int k = 0; k < LENGTH; k++) mass += exp((double)x[i * LENGTH + k]);
        z[i] = (pk_real)log(mass);
    }
    return one;
}

static void add_all(peft_tensor *t, double v)
{
    pk_real *x = peft_tensor_data(t);
    for (int64_t i = 0; i < peft_tensor_count(t); i++) x[i] += (pk_real)v;
}

/* log c more in every entry of a row is log c more in its sum, and c of them are one that is log c larger. */
START_TEST(a_shift_of_a_row)
{
    tiny t = make(NULL, "ept", "length=5", NULL, 3);
    tiny_shake_tensor(prompt_of(&t, "prompt"), "prompt", 2);
    tiny one = one_entry(&t);
    ck_assert_double_le(apart(logits_of(&t), logits_of(&one)), 1e-12);
    add_all(prompt_of(&t, "prompt"), log(7));
    peft_tensor *shifted = logits_of(&t);
    add_all(prompt_of(&one, "prompt"), log(7));
    ck_assert_double_le(apart(logits_of(&one), shifted), 1e-12);
    tiny_free(&t);
    tiny_free(&one);
}
END_TEST

/* Each row's gradient is softmax(row) times one number, its sum, which is the gradient of z. */
START_TEST(a_row_has_one_gradient)
{
    tiny t = make(NULL, "ept", "length=5", NULL, 3);
    peft_param *p = peft_model_find_param(t.model, "prompt");
    tiny_shake_tensor(&p->value, "prompt", 2);
    tiny one = one_entry(&t);
    peft_trainer *r = backward(&t), *r1 = backward(&one);
    const pk_real *x = p->value.data, *g = p->grad.data;
    const pk_real *gz = peft_tensor_cdata(peft_param_grad(peft_model_find_param(one.model, "prompt")));
    double top = largest(g, peft_tensor_count(&p->value));
    for (int64_t i = 0; i < peft_tensor_count(&p->value); i += LENGTH) {
        double mass = 0, sum = 0;
        for (int k = 0; k < LENGTH; k++) {
            mass += exp((double)x[i + k]);
            sum += (double)g[i + k];
        }
        ck_assert_double_le(fabs(sum - (double)gz[i / LENGTH]), 1e-11 * top);
        for (int k = 0; k < LENGTH; k++)
            ck_assert_double_le(fabs((double)g[i + k] - sum * exp((double)x[i + k]) / mass), 1e-12 * top);
    }
    peft_trainer_free(r);
    peft_trainer_free(r1);
    tiny_free(&t);
    tiny_free(&one);
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

/* Attention does not know the order of its keys: rows 0 and 2 of three prompts change places. */
static void exchange_tokens(peft_model *m)
{
    for (size_t i = 0; i < peft_model_param_count(m); i++) {
        pf_param *p = peft_model_param(m, i);
        if (strcmp(p->group, "prompt")) continue;
        int64_t d = p->value.dim[p->value.ndim - 1];
        pk_real *x = p->value.data, v;
        for (int64_t k = 0; k < peft_tensor_count(&p->value); k += 3 * d)
            for (int64_t c = k; c < k + d; c++) {
                v = x[c];
                x[c] = x[c + 2 * d];
                x[c + 2 * d] = v;
            }
    }
}

START_TEST(order_of_prompt_tokens)
{
    static const char *const forms[] = { "tokens=3", "tokens=3,deep=false", "tokens=3,shared=true",
                                         "tokens=3,layers=[0,2]" };
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        tiny t = make(NULL, "vpt", forms[f], NULL, 0);
        for (size_t i = 0; i < peft_model_param_count(t.model); i++) {
            pf_param *p = peft_model_param(t.model, i);
            tiny_shake_tensor(&p->value, p->name, 1);
        }
        peft_tensor *before = logits_of(&t);
        exchange_tokens(t.model);
        double d = apart(logits_of(&t), before);
        ck_assert_msg(d <= 1e-12, "vpt with %s: %g", forms[f], d);
        tiny_free(&t);
    }
}
END_TEST

SUITE_MAIN("invariants", a_sink_is_what_is_cut_off, mass_is_a_column_mean_of_the_softmax,
           no_mass_no_change, order_of_prompt_entries, length_is_a_sum,
           a_shift_of_a_row, rows_nobody_reads, a_row_has_one_gradient, key_bias_has_no_gradient,
           order_of_prompt_tokens)
