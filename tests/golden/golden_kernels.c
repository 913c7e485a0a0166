/* SPDX-License-Identifier: Apache-2.0
 * golden_kernels.c -- activations, LayerNorm, attention and optimizers against golden vectors, with the kernels of
 * every instruction set that this CPU has. */
#include "golden.h"
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Loops over the instruction sets of this CPU; k: the kernels of each. g->isa is set for messages. */
#define EACH_ISA(g, k) \
    for (const char *const *isa_ = pk_isas(); *isa_; isa_++) \
        for (const pk_table *k = ((g)->isa = *isa_, pk_find(*isa_)); k; k = NULL, (g)->isa = NULL)

void golden_gelu(golden *g)
{
    static const struct { pk_act act; const char *name; } acts[] = {
        { PK_GELU, "gelu" }, { PK_QUICKGELU, "quickgelu" } };
    const pf_st_tensor *t = golden_find(g, "input.x");
    const pk_real *x = golden_real(g, "input.x");
    if (!x) return;
    const int64_t n = pf_dims_count(t->ndim, t->dim);
    pk_real *ones = golden_memory(g, (size_t)n * sizeof *ones), *y = golden_memory(g, (size_t)n * sizeof *y);
    for (int64_t i = 0; i < n; i++) ones[i] = 1;
    EACH_ISA(g, k)
        for (size_t a = 0; a < sizeof acts / sizeof *acts; a++) {
            k->act(acts[a].act, y, x, n);
            golden_l2(g, y, n, GOLDEN_FORWARD, "expect.%s", acts[a].name);
            k->act_grad(acts[a].act, y, ones, x, n);
            golden_l2(g, y, n, GOLDEN_FORWARD, "expect.%s_grad", acts[a].name);
        }
}

static void layernorm_case(golden *g, const char *name)
{
    double eps;
    const pf_st_tensor *t = golden_find(g, "input.x");
    const pk_real *x = golden_real(g, "input.x"), *dy = golden_real(g, "input.grad_out");
    const pk_real *gamma = golden_real(g, "input.weight"), *beta = golden_real(g, "input.bias");
    if (!x || !dy || !gamma || !beta || sscanf(name, "eps_%lf", &eps) != 1) return;
    const int64_t rows = t->dim[0], cols = t->dim[1], n = rows * cols;
    pk_real *y = golden_memory(g, (size_t)n * sizeof *y), *dx = golden_memory(g, (size_t)n * sizeof *dx);
    pk_real *mean = golden_memory(g, (size_t)rows * sizeof *mean);
    pk_real *rstd = golden_memory(g, (size_t)rows * sizeof *rstd);
    EACH_ISA(g, k) {
        pk_real *dgamma = golden_memory(g, (size_t)cols * sizeof *dgamma);
        pk_real *dbeta = golden_memory(g, (size_t)cols * sizeof *dbeta);
        k->layernorm(y, cols, mean, rstd, x, cols, gamma, beta, (pk_real)eps, rows, cols);
        k->layernorm_grad(dx, cols, dy, cols, x, cols, mean, rstd, gamma, NULL, 0, rows, cols);
        k->col_sums(dgamma, dy, cols, x, cols, mean, rstd, rows, cols);
        k->col_sums(dbeta, dy, cols, NULL, 0, NULL, NULL, rows, cols);
        golden_l2(g, y, n, GOLDEN_FORWARD, "expect.%s.out", name);
        golden_l2(g, dx, n, GOLDEN_GRADIENT, "expect.%s.grad_x", name);
        golden_l2(g, dgamma, cols, GOLDEN_GRADIENT, "expect.%s.grad_weight", name);
        golden_l2(g, dbeta, cols, GOLDEN_GRADIENT, "expect.%s.grad_bias", name);
    }
}

void golden_layernorm(golden *g) { golden_cases(g, ".out", layernorm_case); }

/* The files hold [samples, heads, rows, d], the kernels [samples, rows, heads * d]. */
typedef struct sizes { int64_t samples, heads, rows, d; } sizes;           /* d: size of a head */

static int64_t count(sizes s) { return s.samples * s.heads * s.rows * s.d; }

typedef enum { TO_FILE, TO_KERNEL } layout;

/* A copy of x, which has the other layout, in this one. Element i of the file is element j of the kernels. */
static pk_real *transpose(golden *g, const pk_real *x, sizes s, layout to)
{
    pk_real *y = golden_memory(g, (size_t)count(s) * sizeof *y);
    for (int64_t i = 0; i < count(s); i++) {
        const int64_t c = i % s.d, row = i / s.d % s.rows, head = i / s.d / s.rows % s.heads,
                      b = i / s.d / s.rows / s.heads, j = ((b * s.rows + row) * s.heads + head) * s.d + c;
        if (to == TO_KERNEL) y[j] = x[i];
        else y[i] = x[j];
    }
    return y;
}

/* An input of the case, else of all cases, in the layout of the kernels. Prompt rows, of which there is one sample,
 * have the stride 0: all samples read the same rows. */
static pk_operand operand(golden *g, const char *mode, const char *name, sizes s)
{
    const bool of_mode = golden_find(g, "input.%s.%s", mode, name) != NULL;
    const pk_real *x = of_mode ? golden_real(g, "input.%s.%s", mode, name) : golden_real(g, "input.%s", name);
    const int64_t row = s.heads * s.d;
    return (pk_operand){ .data = x ? transpose(g, x, s, TO_KERNEL) : NULL,
                         .sample_stride = s.samples > 1 ? s.rows * row : 0, .row_stride = row };
}

/* Memory for a result or gradient in the layout of the kernels. */
static pk_output output(golden *g, sizes s)
{
    return (pk_output){ .data = golden_memory(g, (size_t)count(s) * sizeof(pk_real)),
                        .sample_stride = s.rows * s.heads * s.d, .row_stride = s.heads * s.d };
}

/* Sums `many` parts of n elements: the kernels give one part for each sample (or each sample and head). */
static pk_real *summed(golden *g, const pk_real *parts, int64_t n, int64_t many)
{
    pk_real *sum = golden_memory(g, (size_t)n * sizeof *sum);
    for (int64_t p = 0; p < many; p++) for (int64_t i = 0; i < n; i++) sum[i] += parts[p * n + i];
    return sum;
}

typedef struct attention_case {
    pk_attention_grad a;
    sizes s, extra;                        /* of q, k, v; of the extra key and value rows (prompts) */
} attention_case;

/* Compares results and gradients with those of the mode. */
static void attention_compare(golden *g, const char *mode, const attention_case *c)
{
    const pk_attention_grad *a = &c->a;
    const sizes s = c->s, one = { 1, c->extra.heads, c->extra.rows, c->extra.d };
    const int64_t n = count(s), queries = s.rows;
    const pk_output *gradient[] = { &a->dq, &a->dk, &a->dv };
    golden_l2(g, transpose(g, a->fwd.out, s, TO_FILE), n, GOLDEN_FORWARD, "expect.%s.out", mode);
    golden_l2(g, a->fwd.lse, s.samples * s.heads * queries, GOLDEN_FORWARD, "expect.%s.lse", mode);
    for (int i = 0; i < 3; i++)
        golden_l2(g, transpose(g, gradient[i]->data, s, TO_FILE), n, GOLDEN_GRADIENT, "expect.%s.grad_%c", mode,
                  "qkv"[i]);
    if (a->dsink)
        golden_l2(g, summed(g, a->dsink, queries, s.samples * s.heads), queries, GOLDEN_GRADIENT,
                  "expect.%s.grad_sink", mode);
    for (int i = 0; i < 2 && a->dxk.data; i++) {
        const pk_real *sum = summed(g, i ? a->dxv.data : a->dxk.data, count(one), s.samples);
        golden_l2(g, transpose(g, sum, one, TO_FILE), count(one), GOLDEN_GRADIENT, "expect.%s.grad_prompt_%c", mode,
                  "kv"[i]);
    }
}

/* Runs forward and backward for every sample and head. */
static void attention_run(golden *g, const pk_table *k, const attention_case *c)
{
    const pk_attention *f = &c->a.fwd;
    void *forward_work = golden_memory(g, pk_attention_work(k, f, PK_FORWARD));
    void *gradient_work = golden_memory(g, pk_attention_work(k, f, PK_GRADIENT));
    for (int64_t b = 0; b < f->samples; b++)
        for (int64_t h = 0; h < f->heads; h++) k->product[f->compute].attention(f, b, h, forward_work);
    for (int64_t b = 0; b < f->samples; b++)
        for (int64_t h = 0; h < f->heads; h++) k->product[f->compute].attention_grad(&c->a, b, h, gradient_work);
}

/* A mode has a sink, or prompt rows, where the file has reference gradients of them. Inputs are input.<mode>.<name>
 * where the file has it, else input.<name>. */
static void attention_mode(golden *g, const char *mode)
{
    const pf_st_tensor *q = golden_find(g, "input.q"), *p = golden_find(g, "expect.%s.grad_prompt_k", mode);
    if (!q) { golden_fail(g, "input.q is missing"); return; }
    const sizes s = { q->dim[0], q->dim[1], q->dim[2], q->dim[3] };
    const sizes extra = { 1, s.heads, p ? p->dim[1] : 0, s.d }, parts = { s.samples, s.heads, extra.rows, s.d };
    pk_attention f = { .samples = s.samples, .heads = s.heads, .head_dim = s.d, .queries = s.rows, .keys = s.rows,
                       .extra = extra.rows, .scale = (pk_real)(1 / sqrt((double)s.d)),
                       .q = operand(g, mode, "q", s), .k = operand(g, mode, "k", s), .v = operand(g, mode, "v", s),
                       .out_sample_stride = s.rows * s.heads * s.d, .out_row_stride = s.heads * s.d };
    const bool sink = golden_find(g, "expect.%s.grad_sink", mode) != NULL;
    if (sink)
        f.sink = golden_find(g, "input.%s.sink", mode) ? golden_real(g, "input.%s.sink", mode)
                                                       : golden_real(g, "input.sink");
    if (p) f.xk = operand(g, mode, "prompt_k", extra), f.xv = operand(g, mode, "prompt_v", extra);
    const pk_operand dout = operand(g, mode, "grad_out", s);
    if (!f.q.data || !f.k.data || !f.v.data || !dout.data) return;
    if ((p && (!f.xk.data || !f.xv.data)) || (sink && !f.sink)) return;
    EACH_ISA(g, k) {
        attention_case c = { .a = { .fwd = f, .dout = dout }, .s = s, .extra = extra };
        const size_t per_row = (size_t)(s.samples * s.heads * s.rows) * sizeof(pk_real);
        c.a.fwd.out = golden_memory(g, (size_t)count(s) * sizeof(pk_real));
        c.a.fwd.lse = golden_memory(g, per_row);
        c.a.dq = output(g, s), c.a.dk = output(g, s), c.a.dv = output(g, s);
        if (sink) c.a.dsink = golden_memory(g, per_row);
        if (p) c.a.dxk = output(g, parts), c.a.dxv = output(g, parts);
        attention_run(g, k, &c);
        attention_compare(g, mode, &c);
    }
}

void golden_attention(golden *g) { golden_cases(g, ".lse", attention_mode); }

/* Compares values [steps, n]. The coordinates have gradients from 1e-7 to 1e3, so each one's errors are relative to the
 * largest reference value of that coordinate in all steps, but at least to `least`. */
static void compare_steps(golden *g, const pk_real *got, int64_t steps, int64_t n, double least, double limit,
                          const char *name)
{
    const pf_st_tensor *t = golden_find(g, "%s", name);
    const pk_real *want = golden_real(g, "%s", name);
    if (!want) return;
    if (pf_dims_count(t->ndim, t->dim) != steps * n) { golden_fail(g, "%s has another shape", name); return; }
    double worst = 0;
    for (int64_t j = 0; j < n; j++) {
        double scale = least;
        for (int64_t i = j; i < steps * n; i += n) scale = fmax(scale, fabs((double)want[i]));
        for (int64_t i = j; i < steps * n; i += n) {
            const double error = fabs((double)got[i] - (double)want[i]);
            if (error > 0 && !(error / scale <= worst)) worst = error / scale;
        }
    }
    golden_note(g, worst, limit, "%s", name);
}

static double number(json_t *o, const char *name) { return json_number_value(json_object_get(o, name)); }

/* Runs all steps of SGD or AdamW; compares the parameters after each step and the moments after the last. */
static void optimizer_case(golden *g, const pk_table *k, const char *name, json_t *o)
{
    const pf_st_tensor *t = golden_find(g, "input.grads");
    const pk_real *start = golden_real(g, "input.param"), *grads = golden_real(g, "input.grads");
    if (!start || !grads) return;
    const int64_t steps = t->dim[0], n = t->dim[1];
    json_t *betas = json_object_get(o, "betas");
    const double lr = number(o, "lr"), wd = number(o, "weight_decay"), mu = number(o, "momentum");
    const double b1 = json_number_value(json_array_get(betas, 0)), b2 = json_number_value(json_array_get(betas, 1));
    const bool adam = betas != NULL, nesterov = json_is_true(json_object_get(o, "nesterov"));
    const double grad_scale = 1, limit = 2e-5, least_parameter = 1, least_moment = 0;
    pk_real *p = golden_memory(g, (size_t)n * sizeof *p), *m = golden_memory(g, (size_t)n * sizeof *m);
    pk_real *v = golden_memory(g, (size_t)n * sizeof *v);
    pk_real *history = golden_memory(g, (size_t)(steps * n) * sizeof *history);          /* p after each step */
    memcpy(p, start, (size_t)n * sizeof *p);
    for (int64_t i = 0; i < steps; i++) {
        int nonfinite = 0;
        const double c1 = 1 - pow(b1, (double)(i + 1)), c2 = 1 - pow(b2, (double)(i + 1));
        if (adam) k->adamw(p, m, v, grads + i * n, n, grad_scale, lr, b1, b2, number(o, "eps"), wd, c1, c2, &nonfinite);
        else k->sgd(p, m, grads + i * n, n, grad_scale, lr, mu, wd, nesterov, i == 0, &nonfinite);
        memcpy(history + i * n, p, (size_t)n * sizeof *p);
    }
    char expect[100];
    snprintf(expect, sizeof expect, "expect.%s.param", name);
    compare_steps(g, history, steps, n, least_parameter, limit, expect);
    snprintf(expect, sizeof expect, adam ? "expect.%s.exp_avg" : "expect.%s.momentum", name);
    if (golden_find(g, "%s", expect)) compare_steps(g, m, 1, n, least_moment, limit, expect);
    snprintf(expect, sizeof expect, "expect.%s.exp_avg_sq", name);
    if (adam) compare_steps(g, v, 1, n, least_moment, limit, expect);
}

/* Clipping by the common norm of two gradients: each is scaled by min(1, limit / (norm + 1e-6)). */
static void clip_case(golden *g, const pk_table *k, json_t *limits)
{
    pk_real *tensor[2];
    int64_t n[2];
    double square = 0;
    for (int i = 0; i < 2; i++) {
        const pf_st_tensor *t = golden_find(g, "input.clip.%c", "ab"[i]);
        double part;
        if (!(tensor[i] = golden_real(g, "input.clip.%c", "ab"[i]))) return;
        n[i] = pf_dims_count(t->ndim, t->dim);
        k->sums(NULL, &part, tensor[i], n[i]);
        square += part;
    }
    const double norm = sqrt(square);
    golden_each(g, &norm, 1, GOLDEN_RELATIVE, 1e-5, "expect.clip.norm");
    const char *name;
    json_t *limit;
    json_object_foreach(limits, name, limit) {
        const double s = fmin(1, json_number_value(limit) / (norm + 1e-6));
        for (int i = 0; i < 2; i++) {
            pk_real *y = golden_memory(g, (size_t)n[i] * sizeof *y);
            k->scale(y, tensor[i], (pk_real)s, n[i]);
            golden_l2(g, y, n[i], GOLDEN_FORWARD, "expect.clip.%s.%c", name, "ab"[i]);
        }
    }
}

void golden_optimizers(golden *g)
{
    json_t *options = json_loads(pf_st_meta(g->file, "options"), 0, NULL), *o;
    const char *name;
    EACH_ISA(g, k)
        json_object_foreach(options, name, o) {
            if (strcmp(name, "clip")) optimizer_case(g, k, name, o);
            else clip_case(g, k, o);
        }
    json_decref(options);
}
