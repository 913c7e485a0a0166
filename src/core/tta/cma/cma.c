/* SPDX-License-Identifier: Apache-2.0
 * cma.c -- creation of CMA-ES: one block of memory for the object and all of its arrays. */
#include <math.h>
#include <string.h>
#include "core/options/options.h"
#include "core/tta/cma/eigen.h"
#include "core/tta/cma/state.h"

enum { POPULATION_MIN = 3 };

static int64_t population_of(const pf_cma_settings *s)
{
    return s->population ? s->population : pf_cma_default_population(s->dim);
}

static peft_status check(const pf_cma_settings *s)
{
    if (s->dim < 1) return pf_fail(PEFT_E_INVALID, "dim is %lld: expected at least 1 variable", (long long)s->dim);
    if (population_of(s) < POPULATION_MIN)
        return pf_fail(PEFT_E_INVALID, "population is %lld: expected at least %d candidates, or 0 for the default %lld",
                       (long long)s->population, POPULATION_MIN, (long long)pf_cma_default_population(s->dim));
    if (s->injected < 0)
        return pf_fail(PEFT_E_INVALID, "injected is %lld: expected 0 or more solutions", (long long)s->injected);
    for (int64_t i = 0; s->mean && i < s->dim; i++)
        if (!isfinite(s->mean[i]))
            return pf_fail(PEFT_E_NONFINITE, "mean[%lld] is NaN or Inf: expected a finite number", (long long)i);
    if (s->sigma >= PF_CMA_SIGMA_MIN && s->sigma <= PF_CMA_SIGMA_MAX) return PEFT_OK;
    char text[32];
    pf_print_float(text, sizeof text, s->sigma);
    return pf_fail(PEFT_E_INVALID, "sigma is %s: expected a standard deviation between 1e-150 and 1e150", text);
}

/* A cursor that hands out parts of one block of memory; with base NULL it only counts them. */
typedef struct { char *base; size_t bytes; bool overflow; } block;

/* rows * columns elements of 8 bytes. */
static void *take(block *b, size_t rows, size_t columns)
{
    size_t bytes = 0, end = 0;
    if (!pf_mul_size(rows, columns, &bytes) || !pf_mul_size(bytes, sizeof(double), &bytes) ||
        !pf_add_size(b->bytes, bytes, &end)) b->overflow = true;
    char *part = b->base && !b->overflow ? b->base + b->bytes : NULL;
    b->bytes = end;
    return part;
}

static void lay_out(pf_cma *es, block *b)
{
    const size_t n = (size_t)es->dim, population = (size_t)es->population, most = population + (size_t)es->injected;
    const bool full = es->covariance == PF_CMA_FULL;
    es->mean = take(b, 1, n);
    es->path = take(b, 1, n);
    es->path_sigma = take(b, 1, n);
    es->length = take(b, 1, n);
    es->c = full ? take(b, n, n) : NULL;
    es->axis = full ? take(b, n, n) : NULL;
    es->start = take(b, 1, n);
    es->weight = take(b, 1, population);
    es->rate = take(b, 1, most);
    es->x = take(b, population, n);
    es->step = take(b, most, n);
    es->ranked = take(b, 1, most);
    es->order = take(b, 1, most);
    es->shift = take(b, 1, n);
    es->white = take(b, 1, n);
    es->eigen = full ? take(b, 1, pf_eigen_workspace(es->dim)) : NULL;
}

static pf_cma sized(const pf_cma_settings *s)
{
    return (pf_cma){ .dim = s->dim, .population = population_of(s), .injected = s->injected,
                     .covariance = s->covariance, .seed = s->seed, .first_sigma = s->sigma,
                     .model = s->covariance == PF_CMA_FULL ? &pf_cma_full : &pf_cma_separable };
}

size_t pf_cma_bytes(const pf_cma_settings *s)
{
    pf_cma es = sized(s);
    block b = { .bytes = sizeof es };
    lay_out(&es, &b);
    return b.overflow ? SIZE_MAX : b.bytes;
}

peft_status pf_cma_create(peft_context *ctx, const pf_cma_settings *s, pf_cma **out)
{
    PF_TRY(check(s));
    const size_t bytes = pf_cma_bytes(s);
    pf_cma *es = bytes == SIZE_MAX ? NULL : pf_alloc_zero(ctx, bytes);
    if (!es) return pf_nomem("CMA-ES", bytes);
    *es = sized(s);
    es->ctx = ctx;
    block b = { .base = (char *)es, .bytes = sizeof *es };
    lay_out(es, &b);
    pf_cma_set_parameters(&es->p, es->weight, es->dim, es->population, es->covariance);
    if (s->mean) memcpy(es->start, s->mean, (size_t)es->dim * sizeof *es->start);
    pf_cma_reset(es);
    *out = es;
    return PEFT_OK;
}

void pf_cma_reset(pf_cma *es)
{
    const size_t n = (size_t)es->dim;
    double *const vector[] = { es->path, es->path_sigma };
    for (int v = 0; v < 2; v++) memset(vector[v], 0, n * sizeof(double));
    memcpy(es->mean, es->start, n * sizeof *es->mean);
    if (es->c) memset(es->c, 0, n * n * sizeof *es->c);
    if (es->axis) memset(es->axis, 0, n * n * sizeof *es->axis);
    for (size_t i = 0; i < n; i++) {
        es->length[i] = 1;
        if (es->c) es->c[i * n + i] = es->axis[i * n + i] = 1;
    }
    es->sigma = es->first_sigma;
    es->number[PF_CMA_ITERATION] = es->number[PF_CMA_DECOMPOSED] = 0;
    es->number[PF_CMA_SEED_HIGH] = (int64_t)(es->seed >> 32);
    es->number[PF_CMA_SEED_LOW] = (int64_t)(es->seed & UINT32_MAX);
    es->asked = false;
}

void          pf_cma_free(pf_cma *es) { if (es) pf_free(es->ctx, es); }
int64_t       pf_cma_population(const pf_cma *es) { return es->population; }
const double *pf_cma_mean(const pf_cma *es) { return es->mean; }
double        pf_cma_sigma(const pf_cma *es) { return es->sigma; }
int64_t       pf_cma_iteration(const pf_cma *es) { return es->number[PF_CMA_ITERATION]; }

int pf_cma_state(pf_cma *es, pf_cma_array a[PF_CMA_ARRAYS])
{
    enum { ANY_SIGN, POSITIVE };
    const int64_t n = es->dim;
    const pf_cma_array all[PF_CMA_ARRAYS] = {
        { "numbers", PEFT_I64, 1, { PF_CMA_NUMBERS }, es->number, ANY_SIGN },
        { "sigma", PEFT_F64, 1, { 1 }, &es->sigma, POSITIVE },
        { "mean", PEFT_F64, 1, { n }, es->mean, ANY_SIGN }, { "path", PEFT_F64, 1, { n }, es->path, ANY_SIGN },
        { "path_sigma", PEFT_F64, 1, { n }, es->path_sigma, ANY_SIGN },
        { "length", PEFT_F64, 1, { n }, es->length, POSITIVE },
        { "covariance", PEFT_F64, 2, { n, n }, es->c, ANY_SIGN },
        { "axis", PEFT_F64, 2, { n, n }, es->axis, ANY_SIGN } };
    const int count = es->c ? PF_CMA_ARRAYS : PF_CMA_ARRAYS - 2;
    memcpy(a, all, (size_t)count * sizeof *a);
    return count;
}
