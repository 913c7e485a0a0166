/* SPDX-License-Identifier: Apache-2.0
 * foa.c -- FOA (Niu et al., ICML 2024, "Test-Time Model Adaptation with Only Forward Passes"): prompts behind the class
 * token are searched by CMA-ES, whose fitness needs no labels and no gradients. For a batch of B images
 *
 *     fitness = sum of the entropies of the predictions
 *             + lambda * B / 64 * (|mean - mean_s|^2 + |deviation - deviation_s|^2)
 *
 * over the features of all blocks (adaptor.h), with the statistics mean_s and deviation_s of training images. Each
 * batch evaluates the population and the best prompts of the batch before, and all of them are told. Activation
 * shifting: the predictions are those of the best candidate with strength * (mean_s - history) added to the pooled
 * feature; history is the moving average of the feature's mean over the earlier batches and all candidates. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "core/base/rng.h"
#include "core/graph/loss/loss.h"
#include "core/model/model.h"
#include "core/tta/kinds/foa.h"

enum { PUBLISHED_BATCH = 64, AFTER_CLASS_TOKEN = 1, POPULATION_MIN = 3 };

static const pf_opt options[] = {
    { "tokens", 'i', "3", 1, 1e4, "prompts behind the class token" },
    { "lambda", 'f', "0.4", 0, 1e6, "weight of the features' discrepancy from training images; published: 0.2 for "
      "ImageNet-R" },
    { "covariance", 's', "full", 0, 0, "of CMA-ES: full, as published, with a matrix of (tokens * width)^2 numbers; or "
      "separable, a diagonal one, which is no part of the paper, of linear memory and time" },
    { "population", 'i', "27", 0, 65536, "candidates of a batch beside the best of the one before; 0: 4 + 3 log(tokens "
      "* width)" },
    { "sigma", 'f', "1", 1e-100, 1e100, "initial standard deviation of the candidates" },
    { "shift", 'f', "1", 0, 1e3, "factor of the activation shift; 0: none" },
    { "history", 'f', "0.9", 0, 1, "what the moving average of the pooled feature keeps in a batch" },
    { 0 } };

static int64_t width_of(const peft_adaptor *a) { return a->model->backbone->shape.width; }
static int64_t dim_of(const pf_foa *f) { return peft_tensor_count(&f->prompts->value); }
static pk_real *elements(const pf_param *p) { return p->value.data; }

/* Memory for the arrays of the state. */
static peft_status make_arrays(peft_adaptor *a, int64_t candidates)
{
    pf_foa *f = a->state;
    const size_t width = (size_t)width_of(a), dim = (size_t)dim_of(f);
    peft_status s;
    f->history = pf_tta_memory(a, "FOA", (2 * width + (size_t)candidates + dim) * sizeof(double), &s);
    if (s) return s;
    f->mean = f->history + width;
    f->fitness = f->mean + width;
    f->previous = f->fitness + candidates;
    f->best = pf_tta_memory(a, "FOA", dim * sizeof *f->best, &s);
    return s;
}

static peft_status make_search(peft_adaptor *a)
{
    pf_foa *f = a->state;
    const char *covariance = pf_tta_string(a, "covariance");
    const bool full = !strcmp(covariance, "full");
    if (!full && strcmp(covariance, "separable"))
        return pf_fail(PEFT_E_OPTION, "covariance: given '%s', expected full or separable", covariance);
    const pf_cma_settings s = { .dim = dim_of(f), .population = pf_tta_int(a, "population"), .injected = 1,
                                .sigma = pf_tta_float(a, "sigma"), .seed = f->seed,
                                .covariance = full ? PF_CMA_FULL : PF_CMA_SEPARABLE };
    f->title = full ? "foa, full covariance" : "foa, separable covariance";
    if (s.population && s.population < POPULATION_MIN)
        return pf_fail(PEFT_E_OPTION, "population: given %lld, expected %d or more, or 0 for 4 + 3 log(tokens * width)",
                       (long long)s.population, POPULATION_MIN);
    const peft_status status = pf_cma_create(a->ctx, &s, &f->search);
    if (status == PEFT_E_NOMEM && full)
        return pf_prefix_error(status, "tokens=%lld needs a covariance matrix of (tokens * width)^2 numbers (lower "
                               "tokens, or set covariance=separable)", (long long)pf_tta_int(a, "tokens"));
    if (status) return status;
    a->block_bytes += pf_cma_bytes(&s);
    return PEFT_OK;
}

static peft_status create(peft_adaptor *a)
{
    pf_foa *f = a->state;
    const int64_t dims[] = { pf_tta_int(a, "tokens"), width_of(a) };
    if (a->model->head->reads != PF_READS_FEATURE || !a->model->head->emit)
        return pf_fail(PEFT_E_UNSUPPORTED, "kind=foa shifts the pooled feature of the backbone, and head %s does not "
                       "read it: expected another head or kind", a->model->head->name);
    PF_TRY(pf_tta_tensor(a, "prompts", 2, dims, &f->prompts));
    PF_TRY(pf_tta_tensor(a, "shift", 1, &dims[1], &f->shift));
    f->lambda = pf_tta_float(a, "lambda");
    f->strength = pf_tta_float(a, "shift");
    f->keep = pf_tta_float(a, "history");
    f->seed = a->ctx->seed;
    PF_TRY(make_search(a));
    return make_arrays(a, pf_cma_population(f->search) + 1);
}

static void release(peft_adaptor *a)
{
    pf_foa *f = a->state;
    if (f) pf_cma_free(f->search);                         /* NULL: there was no memory for the state */
}

/* The initial prompts are uniform in the bounds that VPT uses, Xavier's for a patch embedding. */
static void reset(peft_adaptor *a)
{
    pf_foa *f = a->state;
    f->finite = 0;
    f->warned = false;
    const pf_vit_shape *v = &a->model->backbone->shape;
    const double bound = sqrt(6.0 / (double)(3 * v->patch * v->patch + v->width));
    const pf_rng r = { .seed = f->seed, .b = pf_rng_stream("foa prompts") };
    for (int64_t i = 0; i < dim_of(f); i++)
        elements(f->prompts)[i] = (pk_real)(bound * (2 * pf_rng_uniform(&r, (uint64_t)i) - 1));
    memset(elements(f->shift), 0, (size_t)v->width * sizeof(pk_real));
    memset(f->history, 0, (size_t)v->width * sizeof *f->history);
    pf_cma_reset(f->search);
}

static void before(peft_adaptor *a, pf_graph *g, peft_site *s)
{
    const pf_foa *f = a->state;
    if (s->where == PEFT_TOKENS)
        s->out = peft_sys_insert_rows(g, s->out, AFTER_CLASS_TOKEN, peft_sys_param(g, f->prompts));
}

static void finish(peft_adaptor *a, pf_graph *g, pf_val logits)
{
    pf_foa *f = a->state;
    const pf_val feature = peft_sys_add(g, a->net.feature, peft_sys_param(g, f->shift));
    f->shifted = g->status ? PF_NONE : a->model->head->emit(a->model, g, &feature);
    pf_tta_keep(g, f->shifted);
    pf_tta_keep(g, a->net.feature);
    /* the fitness divided by B; it has sums over blocks and channels, of which the discrepancy is the mean */
    pf_loss_add(g, peft_sys_entropy(g, logits), 1);
    pf_tta_add_discrepancy(a, g, f->lambda * (double)pf_tta_features(a) / PUBLISHED_BATCH, "squared");
}

void pf_foa_set_shift(peft_adaptor *a)
{
    const pf_foa *f = a->state;
    const int64_t width = width_of(a);
    const double *mean = a->statistics.mean + pf_tta_features(a) - width;        /* of the last tap */
    for (int64_t c = 0; c < width; c++)
        elements(f->shift)[c] = a->batches ? (pk_real)(f->strength * (mean[c] - f->history[c])) : 0;
}

double pf_foa_evaluate(peft_adaptor *a)
{
    pf_tta_forward(a);
    const double loss = (double)pf_exec_data(&a->net.exec, a->net.loss)[0];
    return isnan(loss) ? INFINITY : loss;
}

/* Adds the mean of the pooled feature over n images to f->mean. */
static void add_mean(peft_adaptor *a, int64_t n)
{
    pf_foa *f = a->state;
    const int64_t width = width_of(a);
    const pk_real *x = pf_exec_data(&a->net.exec, a->net.feature);
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < width; c++) f->mean[c] += (double)x[i * width + c] / (double)n;
}

/* Evaluates all candidates and the prompts of the batch before, the last of them. Keeps the best prompts and their
 * logits; *least: their fitness. Returns how many have a finite fitness. */
static int64_t evaluate_all(peft_adaptor *a, const double *candidates, int64_t n, pk_real *logits, double *least)
{
    pf_foa *f = a->state;
    const int64_t dim = dim_of(f), population = pf_cma_population(f->search);
    const size_t bytes = (size_t)dim * sizeof(pk_real);
    int64_t finite = 0;
    f->finite = 0;
    *least = INFINITY;
    memset(f->mean, 0, (size_t)width_of(a) * sizeof *f->mean);
    for (int64_t i = 0; i < dim; i++) f->previous[i] = (double)elements(f->prompts)[i];
    for (int64_t k = 0; k <= population; k++) {
        const double *x = k < population ? candidates + k * dim : f->previous;
        for (int64_t i = 0; i < dim; i++) elements(f->prompts)[i] = (pk_real)x[i];
        f->fitness[k] = pf_foa_evaluate(a);
        if (!isfinite(f->fitness[k])) continue;
        finite++;
        f->finite += k < population;
        add_mean(a, n);
        if (f->fitness[k] >= *least) continue;
        *least = f->fitness[k];
        memcpy(f->best, elements(f->prompts), bytes);
        pf_tta_copy_from(a, f->shifted, n, logits);
    }
    for (int64_t i = 0; i < dim; i++) elements(f->prompts)[i] = finite ? f->best[i] : (pk_real)f->previous[i];
    return finite;
}

static peft_status predict(peft_adaptor *a, int64_t n, pk_real *logits)
{
    pf_foa *f = a->state;
    const double *candidates;
    double least;
    PF_TRY(pf_cma_ask(f->search, &candidates));
    pf_foa_set_shift(a);
    const int64_t finite = evaluate_all(a, candidates, n, logits, &least);
    if (!finite) {
        pf_tta_copy_logits(a, n, logits);
        return pf_fail(PEFT_E_NONFINITE, "the fitness of no candidate of batch %lld is a finite number: nothing was "
                       "updated; look for NaN or Inf in the model's parameters and for very large pixels in the "
                       "images, or reset the adaptor",
                       (long long)a->batches);
    }
    PF_TRY(pf_cma_tell(f->search, f->fitness, f->previous, 1));
    if (!f->finite && !f->warned)
        pf_warn(a->ctx, "the fitness of all %lld new candidates of batch %lld is infinite or NaN, and the prompts stay "
                "as they were: lower sigma, which is now %g (this warning is logged once)",
                (long long)pf_cma_population(f->search), (long long)a->batches, pf_cma_sigma(f->search));
    f->warned |= !f->finite;
    for (int64_t c = 0; c < width_of(a); c++) {
        const double mean = f->mean[c] / (double)finite;
        f->history[c] = a->batches ? f->keep * f->history[c] + (1 - f->keep) * mean : mean;
    }
    a->loss = least;
    a->updates++;
    return PEFT_OK;
}

static peft_status each(peft_adaptor *a, pf_tta_visit visit, void *user)
{
    pf_foa *f = a->state;
    pf_cma_array array[PF_CMA_ARRAYS];
    char name[40];
    PF_TRY(visit(user, &(pf_tta_part){ .name = "history", .type = PEFT_F64, .ndim = 1, .dim = { width_of(a) },
                                       .data = f->history }));
    const int arrays = pf_cma_state(f->search, array);
    for (int i = 0; i < arrays; i++) {
        const pf_cma_array *from = &array[i];
        snprintf(name, sizeof name, "cma.%s", from->name);
        PF_TRY(visit(user, &(pf_tta_part){ .name = name, .type = from->type, .ndim = from->ndim,
                                           .dim = { from->dim[0], from->dim[1] }, .data = from->data,
                                           .positive = from->positive, .high = UINT32_MAX }));
    }
    return PEFT_OK;
}

static void figures(const peft_adaptor *a, pf_figures *s)
{
    const pf_foa *f = a->state;
    s->row[s->rows++] = (pf_figure)PF_NUMBER("sigma", pf_cma_sigma(f->search), "");
    s->row[s->rows++] = (pf_figure)PF_COUNT("candidates", pf_cma_population(f->search) + 1);
    s->row[s->rows++] = (pf_figure)PF_COUNT("finite_candidates", f->finite);
}

static const char *title(const peft_adaptor *a) { return ((const pf_foa *)a->state)->title; }

const pf_tta_kind pf_tta_foa = { .name = "foa", .summary = "prompts searched by CMA-ES, with forward passes only",
    .paper = "arXiv:2404.01650", .options = options, .softmax = true, .taps = PF_TTA_CLASS_TOKEN,
    .state_size = sizeof(pf_foa), .create = create, .before = before, .finish = finish, .reset = reset,
    .predict = predict, .each = each, .figures = figures, .title = title, .release = release };
