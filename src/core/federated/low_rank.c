/* SPDX-License-Identifier: Apache-2.0
 * low_rank.c -- pairs of LoRA factors, whose update of a weight is scale * B A. The mean of the updates of sites is the
 * product of stacked factors: with W = sum_k w_k, sum_k w_k / W B_k A_k = [w_1 / W B_1, ..] [A_1; ..]. It is written as
 * it is (stack), or cut off at the rank of the sites (product). */
#include <float.h>
#include <math.h>
#include <string.h>
#include "core/bits/jacobi.h"
#include "core/federated/aggregator.h"

static const char method[] = "lora", a_ending[] = ".lora_A.weight", b_ending[] = ".lora_B.weight";

/* The slot whose name is the first `stem` characters of name and ending; a->slots: none. */
static size_t find(const peft_aggregator *a, const char *name, size_t stem, const char *ending)
{
    size_t i = 0;
    while (i < a->slots && (strncmp(a->slot[i].name, name, stem) || strcmp(a->slot[i].name + stem, ending))) i++;
    return i;
}

static peft_status find_pairs(peft_aggregator *a)
{
    a->pair = pf_alloc_zero(a->ctx, a->slots * sizeof *a->pair);
    if (!a->pair) return pf_nomem("pairs of factors", a->slots * sizeof *a->pair);
    for (size_t i = 0; i < a->slots; i++) {
        const pf_slot *s = &a->slot[i];
        const size_t n = strlen(s->name), m = sizeof a_ending - 1;
        if (n <= m || strcmp(s->name + n - m, a_ending)) continue;
        const size_t b = find(a, s->name, n - m, b_ending);
        if (b < a->slots && s->ndim == 2 && a->slot[b].ndim == 2 && a->slot[b].dim[1] == s->dim[0])
            a->pair[a->pairs++] = (pf_pair){ i, b };
    }
    return PEFT_OK;
}

peft_status pf_low_rank_create(peft_aggregator *a)
{
    size_t adapter;
    peft_options *o;
    const pf_opt *table;
    const char *text = pf_options_of(a, method, &adapter);
    if (a->lora == PF_LORA_FACTORS) return PEFT_OK;
    PF_TRY(find_pairs(a));
    if (!text || !a->pairs)
        return pf_fail(PEFT_E_UNSUPPORTED, "the option lora is a rule for the method lora, which the file does not "
                       "have; leave it out");
    PF_TRY(pf_options_read(a, method, text, &o, &table));
    const bool dora = pf_options_int(o, table, "dora") != 0;
    const bool patterns = *pf_options_string(o, table, "rank_pattern") || *pf_options_string(o, table, "alpha_pattern");
    peft_options_free(o);
    if (dora)
        return pf_fail(PEFT_E_UNSUPPORTED, "the option lora: the files have dora=true, and the weights are no sums of "
                       "products then; use lora=factors");
    if (patterns && a->lora == PF_LORA_STACK)
        return pf_fail(PEFT_E_UNSUPPORTED, "lora=stack: the files have ranks or alphas of single layers (rank_pattern, "
                       "alpha_pattern); use lora=product");
    return PEFT_OK;
}

/* --- product ------------------------------------------------------------------------------------------------------ */
/* Vectors of the decomposition: vector i is [u_i | q_i], u_i [out], q_i [in], and the mean update sum_i u_i q_i^T. */
typedef struct { double *v; int64_t count, most, out, in; double largest; } vectors;

static double *vector(const vectors *x, int64_t i) { return x->v + i * (x->out + x->in); }

/* Adds the update b a^T, b a column of B times its weight: a is made orthogonal to the q so far, and what b has of them
 * is added to their u. A rest of a that is rounding error is dropped. */
static void add_vector(vectors *x, const double *b, int64_t b_step, double weight, const double *row)
{
    double *u = vector(x, x->count), *q = u + x->out;
    memcpy(q, row, (size_t)x->in * sizeof *q);
    const double length = sqrt(pf_scalar_product(q, q, x->in));
    for (int pass = 0; pass < 2; pass++)                     /* the second removes the rounding errors of the first */
        for (int64_t i = 0; i < x->count; i++) {
            double *other = vector(x, i);
            const double d = pf_scalar_product(other + x->out, q, x->in);
            for (int64_t e = 0; e < x->in; e++) q[e] -= d * other[x->out + e];
            for (int64_t e = 0; e < x->out; e++) other[e] += d * weight * b[e * b_step];
        }
    const double rest = sqrt(pf_scalar_product(q, q, x->in));
    if (x->count == x->most || rest <= 16 * DBL_EPSILON * length) return;
    for (int64_t e = 0; e < x->in; e++) q[e] /= rest;
    for (int64_t e = 0; e < x->out; e++) u[e] = rest * weight * b[e * b_step];
    x->count++;
}

/* Rotates the vectors until the u are orthogonal, while the q stay orthonormal: then the lengths of the u are the
 * singular values of the update. Sorts them, largest first. */
static void decompose(vectors *x)
{
    enum { SWEEPS_MAX = 60 };
    const int64_t size = x->out + x->in;
    bool rotated = true;
    x->largest = 0;
    for (int64_t i = 0; i < x->count; i++)
        x->largest = fmax(x->largest, sqrt(pf_scalar_product(vector(x, i), vector(x, i), x->out)));
    for (int sweep = 0; sweep < SWEEPS_MAX && rotated; sweep++) {
        rotated = false;
        for (int64_t i = 0; i < x->count; i++)
            for (int64_t j = i + 1; j < x->count; j++)
                rotated |= pf_make_orthogonal(vector(x, i), vector(x, j), x->out, size, x->largest * DBL_EPSILON);
    }
    for (int64_t i = 0; i < x->count; i++)
        for (int64_t j = i + 1; j < x->count; j++) {
            double *p = vector(x, i), *q = vector(x, j);
            if (pf_scalar_product(p, p, x->out) >= pf_scalar_product(q, q, x->out)) continue;
            for (int64_t e = 0; e < size; e++) {
                const double t = p[e];
                p[e] = q[e];
                q[e] = t;
            }
        }
}

/* The root of the mean square length of the sites' rows of A, which the rows of the result get; 1 if all are zero. */
static double row_length(const peft_aggregator *a, const pf_slot *s)
{
    double sum = 0;
    for (size_t k = 0; k < a->sites; k++)
        sum += a->kept_weight[k] * pf_scalar_product(a->kept[k] + s->first, a->kept[k] + s->first, s->count);
    const double length = sqrt(sum / a->weight / (double)s->dim[0]);
    return length > 0 ? length : 1;
}

/* Writes the r largest terms to A and B. Where the update has fewer, the column of B is zero and the row of A stays the
 * mean of the sites', so that training can use it: with zeros in both, both gradients would be zero for ever. */
static void write_factors(peft_aggregator *a, const pf_slot *sa, const pf_slot *sb, const vectors *x)
{
    const int64_t rank = sa->dim[0];
    const double length = row_length(a, sa);
    for (int64_t i = 0; i < rank; i++) {
        const double *u = i < x->count ? vector(x, i) : NULL;
        const bool zero = !u || sqrt(pf_scalar_product(u, u, x->out)) <= 64 * DBL_EPSILON * x->largest;
        for (int64_t e = 0; e < x->out; e++) a->value[sb->first + e * rank + i] = zero ? 0 : u[e] / length;
        for (int64_t e = 0; e < x->in && !zero; e++) a->value[sa->first + i * x->in + e] = length * u[x->out + e];
    }
}

static peft_status one_product(peft_aggregator *a, const pf_pair *p)
{
    const pf_slot *sa = &a->slot[p->a], *sb = &a->slot[p->b];
    const int64_t rank = sa->dim[0];
    vectors x = { .out = sb->dim[0], .in = sa->dim[1] };
    const int64_t all = (int64_t)a->sites * rank;
    x.most = all < x.in ? all : x.in;                        /* no more orthonormal vectors q are possible */
    size_t bytes;
    if (!pf_mul_size((size_t)(x.most + 1), (size_t)(x.out + x.in) * sizeof *x.v, &bytes)
        || !(x.v = pf_alloc_zero(a->ctx, bytes)))
        return pf_nomem("decomposition of the mean update", (size_t)x.most);
    for (size_t k = 0; k < a->sites; k++)
        for (int64_t i = 0; i < rank; i++)
            add_vector(&x, a->kept[k] + sb->first + i, rank, a->kept_weight[k] / a->weight,
                       a->kept[k] + sa->first + i * x.in);
    decompose(&x);
    write_factors(a, sa, sb, &x);
    pf_free(a->ctx, x.v);
    return PEFT_OK;
}

peft_status pf_low_rank_product(peft_aggregator *a)
{
    for (size_t i = 0; i < a->pairs; i++) PF_TRY(one_product(a, &a->pair[i]));
    return PEFT_OK;
}

/* --- stack -------------------------------------------------------------------------------------------------------- */
peft_status pf_low_rank_stack(peft_aggregator *a)
{
    size_t elements = 0, bytes;
    for (size_t i = 0; i < a->pairs; i++)
        elements += (size_t)(a->slot[a->pair[i].a].count + a->slot[a->pair[i].b].count);
    pf_free(a->ctx, a->stacked);
    a->stacked = pf_mul_size(elements, a->sites * sizeof *a->stacked, &bytes) ? pf_alloc(a->ctx, bytes) : NULL;
    if (!a->stacked) return pf_nomem("stacked factors", elements);
    pk_real *to = a->stacked;
    for (size_t i = 0; i < a->pairs; i++) {
        const pf_slot *sa = &a->slot[a->pair[i].a], *sb = &a->slot[a->pair[i].b];
        const int64_t rank = sa->dim[0];
        for (size_t k = 0; k < a->sites; k++)
            for (int64_t e = 0; e < sa->count; e++) *to++ = (pk_real)a->kept[k][sa->first + e];
        for (int64_t row = 0; row < sb->dim[0]; row++)
            for (size_t k = 0; k < a->sites; k++)
                for (int64_t e = 0; e < rank; e++)
                    *to++ = (pk_real)(a->kept_weight[k] / a->weight * a->kept[k][sb->first + row * rank + e]);
    }
    return PEFT_OK;
}

const pk_real *pf_low_rank_stacked(const peft_aggregator *a, size_t slot, int64_t dims[2])
{
    const pk_real *at = a->stacked;
    const int64_t n = (int64_t)a->sites;
    for (size_t i = 0; i < a->pairs && a->lora == PF_LORA_STACK; i++) {
        const pf_slot *sa = &a->slot[a->pair[i].a], *sb = &a->slot[a->pair[i].b];
        dims[0] = slot == a->pair[i].a ? n * sa->dim[0] : sb->dim[0];
        dims[1] = slot == a->pair[i].a ? sa->dim[1] : n * sb->dim[1];
        if (slot == a->pair[i].a) return at;
        at += n * sa->count;
        if (slot == a->pair[i].b) return at;
        at += n * sb->count;
    }
    return NULL;
}
