/* SPDX-License-Identifier: Apache-2.0
 * attention_ref.c -- attention and its gradient in plain C, one query row at a time, in every arithmetic: the reference
 * for ../attention/forward.h and backward.h. Column k of the scores is key k for k < keys, else extra row k
 * - keys. */
#include <math.h>
#include <string.h>
#include "kernels/pk.h"
#include "half.h"

#ifdef PF_REAL_DOUBLE
#define real_exp exp
#define real_log log
#else
#define real_exp expf
#define real_log logf
#endif

/* A row of head_dim elements of an operand. */
typedef struct row { const void *data; pk_dtype type; } row;

static pk_real element(row x, int64_t c) { return pk_element(x.data, x.type, c); }

/* Row t of an operand for one head of one sample. */
static row row_of(const pk_operand *o, const pk_attention *a, int64_t sample, int64_t head, int64_t t)
{
    const int64_t first = sample * o->sample_stride + t * o->row_stride + head * a->head_dim;
    return (row){ (const char *)o->data + first * pk_dtype_size(o->type), o->type };
}

/* The same of an output; NULL: the output is not wanted. */
static pk_real *out_row_of(const pk_output *o, const pk_attention *a, int64_t sample, int64_t head, int64_t t)
{
    return o->data ? o->data + sample * o->sample_stride + t * o->row_stride + head * a->head_dim : NULL;
}

/* The row of column k: of keys and extra keys, or of values and extra values. */
static row row_of_column(const pk_operand *keys, const pk_operand *extra, const pk_attention *a, int64_t sample,
                         int64_t head, int64_t k)
{
    return k < a->keys ? row_of(keys, a, sample, head, k) : row_of(extra, a, sample, head, k - a->keys);
}

/* The same of gradients; NULL: not wanted. */
static pk_real *out_row_of_column(const pk_output *keys, const pk_output *extra, const pk_attention *a, int64_t sample,
                                  int64_t head, int64_t k)
{
    return k < a->keys ? out_row_of(keys, a, sample, head, k) : out_row_of(extra, a, sample, head, k - a->keys);
}

/* x as a factor of a product. */
static pk_real factor(const pk_attention *a, pk_real x)
{
    return a->compute == PK_COMPUTE_BF16 ? (pk_real)pk_round_bf16((float)x) : x;
}

static pk_real dot(const pk_attention *a, row x, row y)
{
    pk_real sum = 0;
    for (int64_t c = 0; c < a->head_dim; c++) sum += factor(a, element(x, c)) * factor(a, element(y, c));
    return sum;
}

/* exp(x - max), and 1 where both are the same infinity. */
static pk_real exp_difference(pk_real x, pk_real max)
{
    return x == max ? 1 : real_exp(x - max);
}

void pk_attention_ref(const pk_attention *a, int64_t sample, int64_t head, void *work);
void pk_attention_grad_ref(const pk_attention_grad *g, int64_t sample, int64_t head, void *work);
void pk_attention_rounded_ref(const pk_attention *a, int64_t sample, int64_t head, void *work);
void pk_attention_grad_rounded_ref(const pk_attention_grad *g, int64_t sample, int64_t head, void *work);

void pk_attention_ref(const pk_attention *a, int64_t sample, int64_t head, void *work)
{
    const int64_t columns = a->keys + a->extra, n = a->head_dim;
    const pk_real head_scale = a->head_scale ? a->head_scale[head] : 1;
    pk_real *p = work;                                      /* [columns] */
    for (int64_t i = 0; i < a->queries; i++) {
        const row q = row_of(&a->q, a, sample, head, i);
        pk_real max = a->sink ? a->sink[i] : -(pk_real)INFINITY;
        for (int64_t k = 0; k < columns; k++) {
            p[k] = dot(a, q, row_of_column(&a->k, &a->xk, a, sample, head, k)) * a->scale * head_scale;
            if (p[k] > max) max = p[k];
        }
        pk_real sum = a->sink ? exp_difference(a->sink[i], max) : 0;
        for (int64_t k = 0; k < columns; k++) sum += p[k] = real_exp(p[k] - max);
        pk_real *out = (pk_real *)a->out + sample * a->out_sample_stride + i * a->out_row_stride + head * n;
        for (int64_t c = 0; c < n; c++) out[c] = 0;
        for (int64_t k = 0; k < columns; k++) {
            const row v = row_of_column(&a->v, &a->xv, a, sample, head, k);
            for (int64_t c = 0; c < n; c++) out[c] += factor(a, p[k]) * factor(a, element(v, c));
        }
        for (int64_t c = 0; c < n; c++) out[c] /= sum;
        if (a->lse) a->lse[(sample * a->heads + head) * a->queries + i] = max + real_log(sum);
    }
}

/* Sets `rows` rows of an output to 0, if it is wanted. */
static void clear_rows(const pk_output *o, const pk_attention *a, int64_t sample, int64_t head, int64_t rows)
{
    if (!o->data) return;
    for (int64_t t = 0; t < rows; t++)
        memset(out_row_of(o, a, sample, head, t), 0, (size_t)a->head_dim * sizeof(pk_real));
}

/* y += s*x, where x is a factor of a product, for one row; y NULL: nothing. */
static void add_scaled(const pk_attention *a, pk_real *y, row x, pk_real s)
{
    if (!y) return;
    for (int64_t c = 0; c < a->head_dim; c++) y[c] += s * factor(a, element(x, c));
}

/* Adds the part of query row i to dq, dk, dv, dxk, dxv, given d = dout . out of the row. Returns its dhead_scale. */
static pk_real columns_grad(const pk_attention_grad *g, int64_t sample, int64_t head, int64_t i, pk_real lse, pk_real d)
{
    const pk_attention *a = &g->fwd;
    const pk_real head_scale = a->head_scale ? a->head_scale[head] : 1;
    const row q = row_of(&a->q, a, sample, head, i), dout = row_of(&g->dout, a, sample, head, i);
    pk_real *dq = out_row_of(&g->dq, a, sample, head, i), dscale = 0;
    for (int64_t k = 0; k < a->keys + a->extra; k++) {
        const row key = row_of_column(&a->k, &a->xk, a, sample, head, k);
        pk_real score = dot(a, q, key) * a->scale, p = real_exp(score * head_scale - lse);
        pk_real ds = p * (dot(a, dout, row_of_column(&a->v, &a->xv, a, sample, head, k)) - d);
        dscale += ds * score;
        const pk_real scaled = factor(a, ds) * a->scale * head_scale;
        add_scaled(a, dq, key, scaled);
        add_scaled(a, out_row_of_column(&g->dk, &g->dxk, a, sample, head, k), q, scaled);
        add_scaled(a, out_row_of_column(&g->dv, &g->dxv, a, sample, head, k), dout, factor(a, p));
    }
    return dscale;
}

void pk_attention_grad_ref(const pk_attention_grad *g, int64_t sample, int64_t head, void *work)
{
    const pk_attention *a = &g->fwd;
    const pk_operand out = pk_attention_out(a);
    (void)work;
    clear_rows(&g->dq, a, sample, head, a->queries);
    clear_rows(&g->dk, a, sample, head, a->keys);
    clear_rows(&g->dv, a, sample, head, a->keys);
    clear_rows(&g->dxk, a, sample, head, a->extra);
    clear_rows(&g->dxv, a, sample, head, a->extra);
    for (int64_t i = 0; i < a->queries; i++) {
        const int64_t query = (sample * a->heads + head) * a->queries + i;
        const row x = row_of(&out, a, sample, head, i), dout = row_of(&g->dout, a, sample, head, i);
        const pk_real lse = a->lse[query];
        pk_real d = 0;
        for (int64_t c = 0; c < a->head_dim; c++) d += element(dout, c) * element(x, c);
        if (g->dsink) g->dsink[query] = -exp_difference(a->sink[i], lse) * d;
        if (g->dq.data || g->dk.data || g->dv.data || g->dxk.data || g->dxv.data || g->dhead_scale) {
            pk_real dscale = columns_grad(g, sample, head, i, lse, d);
            if (g->dhead_scale) g->dhead_scale[query] = dscale;
        }
    }
}

/* The reference reads the arithmetic from pk_attention. */
void pk_attention_rounded_ref(const pk_attention *a, int64_t sample, int64_t head, void *work)
{
    pk_attention_ref(a, sample, head, work);
}

void pk_attention_grad_rounded_ref(const pk_attention_grad *g, int64_t sample, int64_t head, void *work)
{
    pk_attention_grad_ref(g, sample, head, work);
}
