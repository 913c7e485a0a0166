/* SPDX-License-Identifier: Apache-2.0
 * double_ept.c -- EPT in double precision: the forms of insertion beside concat (add, multiply, multiply_concat)
 * against their definition, their gradients, what they have in common with concat, and the initial share of the softmax
 * that the option mass sets. double_invariants.c has the properties of concat. */
#include "invariants.h"
#include "lab.h"

static const char *const forms[] = { "add", "multiply", "multiply_concat" };
enum { FORMS = 3, T = 17, D = 24, H = 3, DH = D / H, SAMPLES = 2 };      /* tokens, width and heads of BACKBONE */

/* The options of a form; multiply_concat has `length` logits a row, the others T. */
static const char *options_of(int form, int length)
{
    static char text[64];
    if (form < 2) snprintf(text, sizeof text, "insert=%s,length=100", forms[form]);
    else snprintf(text, sizeof text, "insert=%s,length=%d", forms[form], length);
    return text;
}

static peft_param *prompt_of(const tiny *t) { return peft_model_find_param(t->model, "prompt"); }

/* One row of attention by its definition. q: the query's columns of a head; k, v: the first key and value of the
 * sample, at the head's columns; p: the row's prompts, n of them. */
static void attend_row(double *out, int form, const pk_real *q, const pk_real *k, const pk_real *v, const pk_real *p,
                       int64_t n)
{
    double s[T], lowest = INFINITY, highest = -INFINITY, sum = 0;
    for (int j = 0; j < T; j++) {
        s[j] = 0;
        for (int c = 0; c < DH; c++) s[j] += (double)q[c] * (double)k[j * D + c] / sqrt((double)DH);
        lowest = fmin(lowest, s[j]);
        highest = fmax(highest, s[j]);
        if (form == 0) s[j] += (double)p[j];
        if (form == 1) s[j] *= (double)p[j];
        sum += exp(s[j]);
    }
    for (int64_t j = 0; form == 2 && j < n; j++) sum += exp((highest - lowest) * (double)p[j]);
    for (int c = 0; c < DH; c++) {
        out[c] = 0;
        for (int j = 0; j < T; j++) out[c] += exp(s[j]) / sum * (double)v[j * D + c];
    }
}

/* The graph that the method builds at an attention, against the definition. */
START_TEST(forms_of_insertion_equal_their_definition)
{
    for (int form = 0; form < FORMS; form++) {
        tiny t = VARIANT(.method = "ept", .options = options_of(form, 5));
        peft_param *prompt = prompt_of(&t);
        tiny_perturb_tensor(&prompt->value, "prompt", 2);
        lab l;
        lab_open(&l, t.ctx, 5, LAB_TRAIN_ALL, PLAIN);
        l.g.spec.training = false;
        peft_site s = { .where = PEFT_ATTN, .layer = 1, .q = LEAF(&l, SAMPLES, T, D), .k = LEAF(&l, SAMPLES, T, D),
                        .v = LEAF(&l, SAMPLES, T, D) };
        t.adapter->method->emit(t.adapter->state, &l.g, &s);
        LAB_OK(&l, l.g.status);
        pf_v(&l.g, s.out)->keep = true;
        LAB_OK(&l, pf_compile(&l.g, PF_NONE));
        lab_bind(&l, LAB_USUAL_PLAN);
        lab_run(&l);
        const pk_real *x[3], *got = pf_exec_data(&l.e, s.out);
        for (int i = 0; i < 3; i++) x[i] = l.leaf[i]->value.data;
        const int64_t n = prompt->value.dim[2];
        for (int row = 0; row < SAMPLES * T; row++)
            for (int h = 0; h < H; h++) {
                const int first = row / T * T * D + h * DH;              /* the head's columns of the sample's row 0 */
                double want[DH];
                attend_row(want, form, x[0] + row * D + h * DH, x[1] + first, x[2] + first,
                           (pk_real *)prompt->value.data + (T + row % T) * n, n);               /* of layer 1 */
                for (int c = 0; c < DH; c++)
                    ck_assert_double_le(fabs((double)got[row * D + h * DH + c] - want[c]), 1e-12);
            }
        lab_close(&l);
        tiny_free(&t);
    }
}
END_TEST

/* The loss of a trainer's last batch for the parameters as they are; the trainer's executor is naive. */
static double loss_of(void *trainer)
{
    pf_compiled *net = &((peft_trainer *)trainer)->net;
    forward_whole(&net->exec, forward_nodes(&net->exec));
    return pf_exec_data(&net->exec, net->loss)[0];
}

/* Elements of the gradients of the prompts, and of the norms before the attention, which change the scores by queries
 * and keys. */
START_TEST(gradients_of_the_forms_are_derivatives)
{
    double worst = 0;
    for (int form = 0; form < FORMS; form++) {
        tiny t = VARIANT(.method = "ept", .options = options_of(form, 5), .second = "ln_tune", .classes = 3);
        for (size_t i = 0; i < peft_model_param_count(t.model); i++) {
            peft_param *p = peft_model_param(t.model, i);
            tiny_perturb_tensor(&p->value, p->name, 0.3);
        }
        tiny_batch b = tiny_first_batch(t.model, BATCH);
        peft_trainer *r = tiny_trainer(t.model, "batch=%d,executor=naive", BATCH);
        OK(peft_trainer_backward(r, b.images, b.labels, NULL));
        double all = 0;
        for (size_t i = 0; i < peft_model_param_count(t.model); i++) {
            const peft_param *p = peft_model_param(t.model, i);
            all = fmax(all, largest(p->grad.data, peft_tensor_count(&p->value)));
        }
        struct { pk_real *at; pk_real grad; double unit; const char *name; } pick[64];
        int picks = 0;
        for (size_t i = 0; i < peft_model_param_count(t.model) && picks < 60; i++) {
            peft_param *p = peft_model_param(t.model, i);
            if (strcmp(p->name, "prompt") && !strstr(p->name, "norm1")) continue;
            const int64_t n = peft_tensor_count(&p->value);
            pk_real *x = p->value.data, *g = p->grad.data;
            for (int64_t k = 0; k < n && picks < 60; k += n / 7 + 1, picks++) {
                pick[picks].at = x + k, pick[picks].grad = g[k], pick[picks].name = p->name;
                pick[picks].unit = fmax(largest(g, n), 1e-4 * all);
            }
        }
        ck_assert_int_gt(picks, 20);
        for (int i = 0; i < picks; i++) {
            const double error = slope_error(loss_of, r, pick[i].at, pick[i].grad, pick[i].unit);
            ck_assert_msg(error <= 1e-6, "insert=%s, %s: relative error %g", forms[form], pick[i].name, error);
            worst = fmax(worst, error);
        }
        peft_trainer_free(r);
        tiny_batch_free(&b);
        tiny_free(&t);
    }
    printf("forms of insertion: largest relative error of a gradient %.2g\n", worst);
}
END_TEST

/* A number that is added to all scores of a row does not change their softmax. */
START_TEST(adding_one_number_to_all_scores_of_a_row_changes_nothing)
{
    tiny t = VARIANT(.method = "ept", .options = options_of(0, 0)), plain = VARIANT(0);
    peft_tensor *p = &prompt_of(&t)->value;
    pk_real *x = p->data;
    for (int64_t i = 0; i < peft_tensor_count(p); i++) x[i] = (pk_real)(0.1 * (double)(i / T % 7));
    ck_assert_double_le(difference(logits_of(&t), logits_of(&plain)), 1e-12);
    x[3] += 1;
    ck_assert_double_gt(difference(logits_of(&t), logits_of(&plain)), 1e-9);
    tiny_free(&t);
    tiny_free(&plain);
}
END_TEST

/* Logits of 0 do not depend on the range of the scores; entries of -1e30 take nothing; the order does not matter. */
START_TEST(multiply_concat_has_the_properties_of_concat)
{
    tiny t = VARIANT(.method = "ept", .options = "insert=multiply_concat,length=5,init=zero"), plain = VARIANT(0),
         concat = VARIANT(.method = "ept", .options = "length=5,init=zero");
    ck_assert_double_le(difference(logits_of(&t), logits_of(&concat)), 1e-12);
    peft_tensor *p = &prompt_of(&t)->value;
    pk_real *x = p->data;
    for (int64_t i = 0; i < peft_tensor_count(p); i++) x[i] = (pk_real)-1e30;
    ck_assert_double_le(difference(logits_of(&t), logits_of(&plain)), 1e-12);
    for (int64_t i = 0; i < peft_tensor_count(p); i++) x[i] = (pk_real)(0.3 * (double)(i * i % 11) - 1);
    peft_tensor *before = logits_of(&t);
    for (int64_t i = 0; i < peft_tensor_count(p); i += 5) {
        const pk_real first = x[i];
        memmove(x + i, x + i + 1, 4 * sizeof *x);
        x[i + 4] = first;
    }
    ck_assert_double_le(difference(logits_of(&t), before), 1e-12);
    tiny_free(&t);
    tiny_free(&plain);
    tiny_free(&concat);
}
END_TEST

/* With init=mass the prompts of a row take that share of the softmax of equal scores, with any number of tokens and
 * logits; the standard deviation of 0.02 changes it by at most 6 %. */
START_TEST(mass_is_the_share_of_the_prompts_whatever_the_number_of_tokens)
{
    static const struct { const char *backbone, *options; double mass; } cases[] = {
        { NULL, "length=100", 0.3367 }, { NULL, "length=1,mass=0.3", 0.3 }, { "image_size=32", "length=100", 0.3367 },
        { "image_size=32", "length=7,init=mass,mass=0.01", 0.01 },
        { "image_size=32,patch=8", "length=3,mass=0.05", 0.05 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tiny t = VARIANT(.backbone = cases[i].backbone, .method = "ept", .options = cases[i].options);
        const peft_tensor *p = &prompt_of(&t)->value;
        const pk_real *x = peft_tensor_cdata(p);
        const double tokens = (double)p->dim[1];
        for (int64_t row = 0; row < p->dim[0] * p->dim[1]; row++) {
            double sum = 0;
            for (int64_t j = 0; j < p->dim[2]; j++) sum += exp((double)x[row * p->dim[2] + j]);
            const double share = sum / (sum + tokens);
            ck_assert_msg(fabs(share / cases[i].mass - 1) <= 0.1, "case %zu, row %lld: share %g, expected %g", i,
                          (long long)row, share, cases[i].mass);
        }
        tiny_free(&t);
    }
    /* published: normally distributed around 0, the values of init=normal */
    tiny a = VARIANT(.method = "ept", .options = "length=100,init=published"),
         b = VARIANT(.method = "ept", .options = "length=100,init=normal");
    const peft_tensor *x = &prompt_of(&a)->value, *y = &prompt_of(&b)->value;
    ck_assert(!memcmp(x->data, y->data, pf_tensor_bytes(x)));
    double sum = 0, squares = 0;
    const double n = (double)peft_tensor_count(x);
    for (int64_t i = 0; i < peft_tensor_count(x); i++) {
        const double v = (double)((const pk_real *)x->data)[i];
        sum += v;
        squares += v * v;
    }
    ck_assert_double_le(fabs(sum / n), 4 * 0.02 / sqrt(n));
    ck_assert_double_le(fabs(sqrt(squares / n) - 0.02), 4 * 0.02 / sqrt(2 * n));
    tiny_free(&a);
    tiny_free(&b);
}
END_TEST

SUITE_MAIN("EPT in double", forms_of_insertion_equal_their_definition, gradients_of_the_forms_are_derivatives,
           adding_one_number_to_all_scores_of_a_row_changes_nothing, multiply_concat_has_the_properties_of_concat,
           mass_is_the_share_of_the_prompts_whatever_the_number_of_tokens)
