/* SPDX-License-Identifier: Apache-2.0
 * double_invariants.c -- mathematical properties of methods in double precision. Most are of EPT: its prompt adds
 * entries without values to each row of the softmax in attention, so that they only take a part of the probability. The
 * logsumexp of a row's entries is called its sink. */
#include "invariants.h"
#include "lab.h"

enum { LENGTH = 5 };

static peft_tensor *prompt_of(const tiny *t, const char *name)
{
    peft_param *p = peft_model_find_param(t->model, name);
    ck_assert_msg(p, "no parameter %s", name);
    return peft_param_value(p);
}

/* Sets all elements to v. */
static void set_all(peft_tensor *t, double v)
{
    pk_real *x = peft_tensor_data(t);
    for (int64_t i = 0; i < peft_tensor_count(t); i++) x[i] = (pk_real)v;
}

/* Attention with a sink equals a softmax over scores and prompt entries whose prompt columns are then dropped, and
 * plain attention times sigmoid(lse(scores) - lse(prompt)). */
START_TEST(a_sink_equals_dropped_softmax_columns)
{
    enum { B = 2, T = 6, D = 8, H = 2, DH = D / H };         /* samples, tokens, width, heads, width of a head */
    peft_context *ctx = tiny_plain_context();
    lab l;
    lab_open(&l, ctx, 5, LAB_TRAIN_ALL, PLAIN);
    l.g.spec.training = false;
    peft_site s = { .q = LEAF(&l, B, T, D), .k = LEAF(&l, B, T, D), .v = LEAF(&l, B, T, D) };
    s.sink = peft_sys_logsumexp(&l.g, LEAF(&l, T, LENGTH));
    pf_val y = peft_sys_attention(&l.g, H, &s);
    LAB_OK(&l, l.g.status);
    pf_v(&l.g, y)->keep = true;
    LAB_OK(&l, pf_compile(&l.g, PF_NONE));
    lab_bind(&l, LAB_USUAL_PLAN);
    pf_exec_run(&l.e, 0, l.e.g.nodes);
    const pk_real *q = l.leaf[0]->value.data, *k = l.leaf[1]->value.data, *v = l.leaf[2]->value.data,
                  *p = l.leaf[3]->value.data, *got = pf_exec_data(&l.e, y);
    for (int row = 0; row < B * T; row++)
        for (int h = 0; h < H; h++) {
            const int first = row / T * T;                   /* the first row of this sample */
            double e[T], plain = 0, prompt = 0;
            for (int j = 0; j < LENGTH; j++) prompt += exp((double)p[row % T * LENGTH + j]);
            for (int j = 0; j < T; j++) {
                double dot = 0;
                for (int c = h * DH; c < (h + 1) * DH; c++)
                    dot += (double)q[row * D + c] * (double)k[(first + j) * D + c];
                plain += e[j] = exp(dot / sqrt((double)DH));
            }
            for (int c = h * DH; c < (h + 1) * DH; c++) {
                double dropped = 0, gated = 0, gate = 1 / (1 + exp(log(prompt) - log(plain)));
                for (int j = 0; j < T; j++) {
                    dropped += e[j] / (plain + prompt) * (double)v[(first + j) * D + c];
                    gated += e[j] / plain * (double)v[(first + j) * D + c];
                }
                ck_assert_double_le(fabs((double)got[row * D + c] - dropped), 1e-12);
                ck_assert_double_le(fabs((double)got[row * D + c] - gated * gate), 1e-12);
            }
        }
    lab_close(&l);
    peft_context_free(ctx);
}
END_TEST

/* peft_sys_attention_mass against the softmax by its definition, with head_scale, a sink and extra keys. */
START_TEST(attention_mass_is_the_column_mean_of_the_softmax)
{
    enum { B = 2, T = 6, D = 8, H = 2, DH = D / H, EXTRA = 3 };
    peft_context *ctx = tiny_plain_context();
    for (int form = 0; form < 8; form++) {
        const bool row_0_only = form & 1, scaled = form & 2, extended = form & 4;   /* extended: sink and extra keys */
        lab l;
        lab_open(&l, ctx, 5, LAB_TRAIN_ALL, PLAIN);
        l.g.spec.training = false;
        peft_site s = { .q = LEAF(&l, B, T, D), .k = LEAF(&l, B, T, D), .v = LEAF(&l, B, T, D) };
        pf_val scale = LEAF(&l, H), sink = LEAF(&l, T), xk = LEAF(&l, EXTRA, D), xv = LEAF(&l, EXTRA, D);
        if (scaled) s.head_scale = scale;
        if (extended) s.sink = sink, s.xk = xk, s.xv = xv;
        pf_val mass = peft_sys_attention_mass(&l.g, H, &s, row_0_only);
        LAB_OK(&l, l.g.status);
        pf_v(&l.g, mass)->keep = true;
        LAB_OK(&l, pf_compile(&l.g, PF_NONE));
        lab_bind(&l, LAB_USUAL_PLAN);
        pf_exec_run(&l.e, 0, l.e.g.nodes);
        const pk_real *q = l.leaf[0]->value.data, *k = l.leaf[1]->value.data, *scales = l.leaf[3]->value.data,
                      *sinks = l.leaf[4]->value.data, *more = l.leaf[5]->value.data, *got = pf_exec_data(&l.e, mass);
        for (int i = 0; i < B * H; i++) {
            const int b = i / H, h = i % H, rows = row_0_only ? 1 : T;
            double want[T] = { 0 };
            for (int row = 0; row < rows; row++) {
                double e[T], sum = extended ? exp((double)sinks[row]) : 0;
                for (int j = 0; j < T + (extended ? EXTRA : 0); j++) {
                    const pk_real *key = j < T ? k + (b * T + j) * D : more + (j - T) * D;
                    double dot = 0;
                    for (int c = h * DH; c < (h + 1) * DH; c++)
                        dot += (double)q[(b * T + row) * D + c] * (double)key[c];
                    const double x = exp(dot / sqrt((double)DH) * (scaled ? (double)scales[h] : 1));
                    if (j < T) e[j] = x;
                    sum += x;
                }
                for (int j = 0; j < T; j++) want[j] += e[j] / sum / rows;
            }
            for (int j = 0; j < T; j++)
                ck_assert_msg(fabs((double)got[i * T + j] - want[j]) <= 1e-12,
                              "form %d, head %d, key %d: %g, expected %g", form, i, j, (double)got[i * T + j], want[j]);
        }
        lab_close(&l);
    }
    peft_context_free(ctx);
}
END_TEST

/* The sinks' share of attention against the softmax by its definition, with head_scale and extra keys. The operation
 * gets the lse of one attention twice: with its sinks, one for each query, and with other numbers, one for each sample,
 * head and query, of which it computes exp(number - lse) as well. */
START_TEST(sink_mass_is_the_share_of_the_sink)
{
    enum { B = 2, T = 6, D = 8, H = 2, DH = D / H, EXTRA = 3 };
    peft_context *ctx = tiny_plain_context();
    for (int extended = 0; extended < 2; extended++) {
        lab l;
        lab_open(&l, ctx, 5, LAB_TRAIN_ALL, PLAIN);
        l.g.spec.training = false;
        peft_site s = { .q = LEAF(&l, B, T, D), .k = LEAF(&l, B, T, D), .v = LEAF(&l, B, T, D), .sink = LEAF(&l, T) };
        pf_val scale = LEAF(&l, H), xk = LEAF(&l, EXTRA, D), xv = LEAF(&l, EXTRA, D), each = LEAF(&l, B, H, T), lse;
        if (extended) s.head_scale = scale, s.xk = xk, s.xv = xv;
        pf_attention(&l.g, H, &s, &lse);
        pf_val of_rows = pf_emit(&l.g, &pf_op_sink_mass, NULL, 2, (pf_val[]){ lse, s.sink });
        pf_val of_each = pf_emit(&l.g, &pf_op_sink_mass, NULL, 2, (pf_val[]){ lse, each });
        LAB_OK(&l, l.g.status);
        pf_v(&l.g, of_rows)->keep = pf_v(&l.g, of_each)->keep = true;
        LAB_OK(&l, pf_compile(&l.g, PF_NONE));
        lab_bind(&l, LAB_USUAL_PLAN);
        pf_exec_run(&l.e, 0, l.e.g.nodes);
        const pk_real *q = l.leaf[0]->value.data, *k = l.leaf[1]->value.data, *sink = l.leaf[3]->value.data,
                      *scales = l.leaf[4]->value.data, *more = l.leaf[5]->value.data, *others = l.leaf[7]->value.data,
                      *got = pf_exec_data(&l.e, of_rows), *got_each = pf_exec_data(&l.e, of_each);
        for (int row = 0; row < B * T; row++) {
            const int b = row / T;
            double want = 0, want_each = 0;
            for (int h = 0; h < H; h++) {
                double sum = exp((double)sink[row % T]);
                for (int j = 0; j < T + (extended ? EXTRA : 0); j++) {
                    const pk_real *key = j < T ? k + (b * T + j) * D : more + (j - T) * D;
                    double dot = 0;
                    for (int c = h * DH; c < (h + 1) * DH; c++) dot += (double)q[row * D + c] * (double)key[c];
                    sum += exp(dot / sqrt((double)DH) * (extended ? (double)scales[h] : 1));
                }
                want += exp((double)sink[row % T]) / sum / H;
                want_each += exp((double)others[(b * H + h) * T + row % T]) / sum / H;
            }
            ck_assert_double_le(fabs((double)got[row] - want), 1e-13);
            ck_assert_double_le(fabs((double)got_each[row] - want_each), 1e-12);
        }
        lab_close(&l);
    }
    peft_context_free(ctx);
}
END_TEST

/* An entry takes exp(entry) / sum of the row's probability: entries of -1e30 take none. */
START_TEST(ept_entries_of_minus_infinity_change_no_bit)
{
    tiny plain = VARIANT(0), ept = VARIANT(.method = "ept", .options = "length=5");
    set_all(prompt_of(&ept, "prompt"), -1e30);
    peft_tensor *a = logits_of(&ept), *b = logits_of(&plain);
    ck_assert(!memcmp(peft_tensor_cdata(a), peft_tensor_cdata(b), pf_tensor_bytes(a)));
    peft_tensor_free(a);
    set_all(prompt_of(&ept, "prompt"), 0);
    ck_assert_double_gt(difference(logits_of(&ept), b), 1e-6);
    tiny_free(&plain);
    tiny_free(&ept);
}
END_TEST

START_TEST(the_order_of_ept_entries_does_not_matter)
{
    tiny t = VARIANT(.method = "ept", .options = "length=5");
    peft_tensor *p = prompt_of(&t, "prompt");
    tiny_perturb_tensor(p, "prompt", 2);
    peft_tensor *before = logits_of(&t);
    pk_real *x = peft_tensor_data(p);
    for (int64_t i = 0; i < peft_tensor_count(p); i += LENGTH)           /* reverses the entries of each row */
        for (int k = 0; k < LENGTH / 2; k++) {
            pk_real v = x[i + k];
            x[i + k] = x[i + LENGTH - 1 - k];
            x[i + LENGTH - 1 - k] = v;
        }
    ck_assert_double_le(difference(logits_of(&t), before), 1e-12);
    tiny_free(&t);
}
END_TEST

/* Five entries of 0 have the logsumexp of one entry log(5). */
START_TEST(equal_ept_entries_equal_one_with_their_sum)
{
    tiny one = VARIANT(.method = "ept", .options = "length=1"),
         many = VARIANT(.method = "ept", .options = "length=5,init=zero");
    set_all(prompt_of(&one, "prompt"), log(LENGTH));
    ck_assert_double_le(difference(logits_of(&one), logits_of(&many)), 1e-12);
    set_all(prompt_of(&one, "prompt"), log(LENGTH + 1));
    ck_assert_double_gt(difference(logits_of(&one), logits_of(&many)), 1e-6);
    tiny_free(&one);
    tiny_free(&many);
}
END_TEST

/* In the last block, the prompt of row 0 gets a gradient with class token pooling, that of the other rows with mean
 * pooling. */
START_TEST(prompt_rows_that_pooling_ignores_have_no_gradient)
{
    for (int mean = 0; mean < 2; mean++) {
        tiny t = VARIANT(.backbone = mean ? "pool=mean" : NULL, .method = "ept", .options = "length=5", .classes = 3);
        tiny_perturb(t.model);
        peft_trainer *r = backward(&t);
        const peft_param *p = peft_model_find_param(t.model, "prompt");
        const int64_t layers = p->value.dim[0], rows = p->value.dim[1];
        const pk_real *g = peft_tensor_cdata(peft_param_grad(p));
        for (int64_t i = 0; i < layers * rows; i++) {
            /* element i: row i % rows of layer i / rows */
            bool read = i / rows < layers - 1 || (i % rows > 0) == mean;
            double maximum = largest(g + i * LENGTH, LENGTH);
            ck_assert_msg(read ? maximum > 0 : maximum == 0, "mean pooling %d, layer %d, row %d: gradient up to %g",
                          mean, (int)(i / rows), (int)(i % rows), maximum);
        }
        peft_trainer_free(r);
        tiny_free(&t);
    }
}
END_TEST

/* A model whose prompt has one entry z = logsumexp(row) in place of each row of t's prompt. */
static tiny model_with_one_entry(const tiny *t)
{
    tiny one = VARIANT(.method = "ept", .options = "length=1", .classes = 3);
    const pk_real *x = peft_tensor_cdata(prompt_of(t, "prompt"));
    pk_real *z = peft_tensor_data(prompt_of(&one, "prompt"));
    for (int64_t i = 0; i < peft_tensor_count(prompt_of(&one, "prompt")); i++) {
        double mass = 0;
        for (int k = 0; k < LENGTH; k++) mass += exp((double)x[i * LENGTH + k]);
        z[i] = (pk_real)log(mass);
    }
    return one;
}

/* Adds v to all elements. */
static void add_all(peft_tensor *t, double v)
{
    pk_real *x = peft_tensor_data(t);
    for (int64_t i = 0; i < peft_tensor_count(t); i++) x[i] += (pk_real)v;
}

/* logsumexp(row + c) = logsumexp(row) + c. */
START_TEST(adding_to_all_ept_entries_adds_to_their_sum)
{
    tiny t = VARIANT(.method = "ept", .options = "length=5", .classes = 3);
    tiny_perturb_tensor(prompt_of(&t, "prompt"), "prompt", 2);
    tiny one = model_with_one_entry(&t);
    ck_assert_double_le(difference(logits_of(&t), logits_of(&one)), 1e-12);
    add_all(prompt_of(&t, "prompt"), log(7));
    peft_tensor *shifted = logits_of(&t);
    add_all(prompt_of(&one, "prompt"), log(7));
    ck_assert_double_le(difference(logits_of(&one), shifted), 1e-12);
    tiny_free(&t);
    tiny_free(&one);
}
END_TEST

/* The loss depends on a row through z = logsumexp(row) alone: its gradient is softmax(row) times the gradient of z. */
START_TEST(the_gradient_of_an_ept_row_is_softmax_times_that_of_its_sum)
{
    tiny t = VARIANT(.method = "ept", .options = "length=5", .classes = 3);
    peft_param *p = peft_model_find_param(t.model, "prompt");
    tiny_perturb_tensor(&p->value, "prompt", 2);
    tiny one = model_with_one_entry(&t);
    peft_trainer *r = backward(&t), *r1 = backward(&one);
    const pk_real *x = p->value.data, *g = p->grad.data;
    const pk_real *gz = peft_tensor_cdata(peft_param_grad(peft_model_find_param(one.model, "prompt")));
    double maximum = largest(g, peft_tensor_count(&p->value));
    for (int64_t i = 0; i < peft_tensor_count(&p->value); i += LENGTH) {
        double mass = 0, sum = 0;
        for (int k = 0; k < LENGTH; k++) {
            mass += exp((double)x[i + k]);
            sum += (double)g[i + k];
        }
        ck_assert_double_le(fabs(sum - (double)gz[i / LENGTH]), 1e-11 * maximum);
        for (int k = 0; k < LENGTH; k++)
            ck_assert_double_le(fabs((double)g[i + k] - sum * exp((double)x[i + k]) / mass), 1e-12 * maximum);
    }
    peft_trainer_free(r);
    peft_trainer_free(r1);
    tiny_free(&t);
    tiny_free(&one);
}
END_TEST

/* A bias of the keys adds the same number to all scores of a query, which a softmax ignores, except with a sink. */
START_TEST(the_key_bias_has_no_gradient_without_a_sink)
{
    for (int sink = 0; sink < 2; sink++) {
        tiny t = VARIANT(.method = "bitfit", .second = sink ? "ept" : NULL, .classes = 3);
        tiny_perturb(t.model);
        peft_trainer *r = backward(&t);
        for (int l = 0; l < 3; l++) {
            char name[40];
            snprintf(name, sizeof name, "blocks.%d.attn.qkv.bias", l);
            const peft_param *p = peft_model_find_param(t.model, name);
            const int64_t d = p->value.dim[0] / 3;
            const pk_real *g = peft_tensor_cdata(peft_param_grad(p));
            /* the bias holds those of queries, keys and values, d each */
            double key = largest(g + d, d), maximum = largest(g, 3 * d);
            ck_assert_msg(sink ? key > 1e-6 * maximum : key <= 1e-12 * maximum,
                          "%s, sink %d: gradients up to %g of the keys, %g of all", name, sink, key, maximum);
        }
        peft_trainer_free(r);
        tiny_free(&t);
    }
}
END_TEST

/* Swaps tokens 0 and 2 of the three prompts of each layer: attention does not depend on the order of its keys. */
static void swap_tokens(peft_model *m)
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

START_TEST(the_order_of_vpt_prompts_does_not_matter)
{
    static const char *const forms[] = { "tokens=3", "tokens=3,deep=false", "tokens=3,shared=true",
                                         "tokens=3,layers=[0,2]" };
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        tiny t = VARIANT(.method = "vpt", .options = forms[f]);
        for (size_t i = 0; i < peft_model_param_count(t.model); i++) {
            pf_param *p = peft_model_param(t.model, i);
            tiny_perturb_tensor(&p->value, p->name, 1);
        }
        peft_tensor *before = logits_of(&t);
        swap_tokens(t.model);
        double d = difference(logits_of(&t), before);
        ck_assert_msg(d <= 1e-12, "vpt with %s: difference %g", forms[f], d);
        tiny_free(&t);
    }
}
END_TEST

/* Prompts of factors U and V compute what prompts of the values U V compute. */
START_TEST(vpt_prompts_of_factors_equal_their_product)
{
    static const char *const tensors[] = { "prompt_embeddings", "deep_prompt_embeddings" };
    enum { TOKENS = 4, RANK = 2, WIDTH = 24 };
    tiny plain = VARIANT(.method = "vpt", .options = "tokens=4"),
         factors = VARIANT(.method = "vpt", .options = "tokens=4,rank=2");
    for (int k = 0; k < 2; k++) {
        char name[64];
        peft_tensor *p = peft_param_value(peft_model_find_param(plain.model, tensors[k]));
        snprintf(name, sizeof name, "%s.u", tensors[k]);
        const pk_real *u = peft_tensor_cdata(peft_param_value(peft_model_find_param(factors.model, name)));
        snprintf(name, sizeof name, "%s.v", tensors[k]);
        const pk_real *v = peft_tensor_cdata(peft_param_value(peft_model_find_param(factors.model, name)));
        for (int64_t i = 0; i < peft_tensor_count(p); i++) {
            const int64_t row = i / WIDTH, block = row / TOKENS, column = i % WIDTH;
            pk_real sum = 0;
            for (int64_t j = 0; j < RANK; j++) sum += u[row * RANK + j] * v[(block * RANK + j) * WIDTH + column];
            ((pk_real *)peft_tensor_data(p))[i] = sum;
        }
    }
    ck_assert_double_le(difference(logits_of(&factors), logits_of(&plain)), 1e-12);
    tiny_free(&plain);
    tiny_free(&factors);
}
END_TEST

SUITE_MAIN("invariants", a_sink_equals_dropped_softmax_columns, attention_mass_is_the_column_mean_of_the_softmax,
           sink_mass_is_the_share_of_the_sink, ept_entries_of_minus_infinity_change_no_bit,
           the_order_of_ept_entries_does_not_matter,
           equal_ept_entries_equal_one_with_their_sum, adding_to_all_ept_entries_adds_to_their_sum,
           prompt_rows_that_pooling_ignores_have_no_gradient,
           the_gradient_of_an_ept_row_is_softmax_times_that_of_its_sum, the_key_bias_has_no_gradient_without_a_sink,
           the_order_of_vpt_prompts_does_not_matter, vpt_prompts_of_factors_equal_their_product)
