/* SPDX-License-Identifier: Apache-2.0
 * importance.c -- gathers the importance of an adapter's trained masks: sums over batches of the gradients with respect
 * to them, by backward passes of a trainer that no update follows. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "core/bits/finite.h"
#include "core/train/prune/importance.h"

const pf_opt pf_scoring_options[] = {
    { "score", 's', "signed", 0, 0, "signed: the mean gradient of a batch; absolute: the mean of its absolute value" },
    { "norm", 'b', "false", 0, 0, "divide each row of a mask by its L2 norm" }, { 0 } };
static const pf_opt across_option = { "across", 'b', "false", 0, 0, "percentages of a whole mask, not of each row" };

static int64_t elements_of(const pf_mask *m) { return peft_tensor_count(&m->p->value); }

static peft_status no_trained_mask(const peft_adapter *a)
{
    return pf_fail(PEFT_E_STATE, "the adapter of method '%s' has no trained mask; expected one of a method with masks "
                   "(e2vpt), made with mask_tokens=trained or mask_pieces=trained", a->method->name);
}

/* The options of peft_adapter_prune: those of scores, "across", and a percentage for each mask. */
static void make_options(peft_importance *i)
{
    int n = 0;
    for (; pf_scoring_options[n].name; n++) i->option[n] = pf_scoring_options[n];
    i->option[n++] = across_option;
    for (int k = 0; k < i->masks; k++)
        i->option[n++] = (pf_opt){ i->mask[k]->option, 'f', "0", 0, 100, "percentage of the mask that is pruned" };
}

peft_status peft_importance_create(peft_adapter *a, peft_importance **out)
{
    if (!a || !out) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", a ? "out" : "adapter");
    peft_context *ctx = a->backbone->ctx;
    peft_importance made = { .adapter = a };
    for (size_t k = 0; k < a->masks; k++) {
        if (a->mask[k].p->buffer) continue;                  /* a fixed mask */
        made.mask[made.masks++] = &a->mask[k];
        made.elements += elements_of(&a->mask[k]);
    }
    if (!made.masks) return no_trained_mask(a);
    make_options(&made);
    const size_t bytes = 2 * (size_t)made.elements * sizeof *made.sum;
    peft_importance *i = pf_alloc(ctx, sizeof *i);
    made.sum = pf_alloc_zero(ctx, bytes);
    if (!i || !made.sum) {
        pf_free(ctx, i);
        pf_free(ctx, made.sum);
        return pf_nomem("importance", sizeof *i + bytes);
    }
    made.magnitude = made.sum + made.elements;
    *i = made;
    pf_adapter_retain(a);
    *out = i;
    return PEFT_OK;
}

void peft_importance_free(peft_importance *i)
{
    if (!i) return;
    peft_adapter *a = i->adapter;
    pf_free(a->backbone->ctx, i->sum);
    pf_free(a->backbone->ctx, i);
    peft_adapter_free(a);
}

int64_t peft_importance_batches(const peft_importance *i) { return i ? i->batches : -1; }
const peft_option *peft_importance_option(const peft_importance *i, size_t k)
{
    return i ? pf_option_at(i->option, k) : NULL;
}

static peft_status check_trainer(const peft_importance *i, const peft_trainer *t)
{
    size_t k = 0;
    while (k < t->model->adapters && t->model->adapter[k] != i->adapter) k++;
    if (k == t->model->adapters)
        return pf_fail(PEFT_E_STATE, "trainer: its model does not have the adapter '%s' that this importance is of",
                       i->adapter->method->name);
    if (!t->batches) return PEFT_OK;
    return pf_fail(PEFT_E_STATE, "trainer: it has %lld backward passes since its last update, whose gradients would be "
                   "lost; call peft_trainer_update first", (long long)t->batches);
}

/* Adds the gradients of the pass that t has just made. */
static peft_status add_gradients(peft_importance *i)
{
    double *sum = i->sum, *magnitude = i->magnitude;
    for (int k = 0; k < i->masks; k++)
        if (!pf_finite(i->mask[k]->p->grad.data, elements_of(i->mask[k])))
            return pf_fail(PEFT_E_NONFINITE, "the gradient of mask '%s' holds NaN or Inf: the batch is not added",
                           i->mask[k]->p->name);
    for (int k = 0; k < i->masks; k++) {
        const pk_real *g = i->mask[k]->p->grad.data;
        for (int64_t e = 0; e < elements_of(i->mask[k]); e++) {
            *sum++ += (double)g[e];
            *magnitude++ += fabs((double)g[e]);
        }
    }
    i->batches++;
    return PEFT_OK;
}

peft_status peft_importance_add(peft_importance *i, peft_trainer *t, const peft_tensor *images,
                                const peft_tensor *labels, const int64_t *sample_ids)
{
    if (!i || !t) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", i ? "trainer" : "importance");
    PF_TRY(pf_trainer_ready(t));
    PF_TRY(check_trainer(i, t));
    const double loss_sum = t->loss_sum, last_loss = t->last_loss, last_added = t->last_added, seconds = t->seconds;
    t->extra_draws = i->batches;
    peft_status s = peft_trainer_backward(t, images, labels, sample_ids);
    t->extra_draws = 0;
    if (!s && t->pending) s = add_gradients(i);              /* none pending: no label of the batch counts */
    if (t->batches) pf_pending_rewind(t);
    t->loss_sum = loss_sum;
    t->last_loss = last_loss;
    t->last_added = last_added;
    t->seconds = seconds;
    return s;
}

peft_status pf_scoring_read(const peft_options *o, pf_scoring *scoring)
{
    const char *score = pf_options_string(o, pf_scoring_options, "score");
    *scoring = (pf_scoring){ .absolute = !strcmp(score, "absolute"),
                             .norm = pf_options_int(o, pf_scoring_options, "norm") };
    if (scoring->absolute || !strcmp(score, "signed")) return PEFT_OK;
    return pf_fail(PEFT_E_OPTION, "score: given '%s', expected signed or absolute", score);
}

peft_status pf_importance_ready(const peft_importance *i, const char *who)
{
    if (i->batches) return PEFT_OK;
    return pf_fail(PEFT_E_STATE, "%s: the importance has no batch yet; call peft_importance_add first", who);
}

void pf_mask_scores(const peft_importance *i, int mask, pf_scoring scoring, double *scores)
{
    const double *from = scoring.absolute ? i->magnitude : i->sum;
    const peft_tensor *value = &i->mask[mask]->p->value;
    const int64_t count = peft_tensor_count(value), cols = value->dim[value->ndim - 1];
    for (int k = 0; k < mask; k++) from += elements_of(i->mask[k]);
    for (int64_t e = 0; e < count; e++) scores[e] = from[e] / (double)i->batches;
    for (double *row = scores; scoring.norm && row < scores + count; row += cols) {
        double squares = 0;
        for (int64_t c = 0; c < cols; c++) squares += row[c] * row[c];
        const double length = sqrt(squares);
        for (int64_t c = 0; length > 0 && c < cols; c++) row[c] /= length;
    }
}

/* The number of the trained mask with this option; i->masks: there is none. */
static int find_mask(const peft_importance *i, const char *option)
{
    int k = 0;
    while (k < i->masks && strcmp(i->mask[k]->option, option)) k++;
    return k;
}

int peft_importance_shape(const peft_importance *i, const char *mask, int64_t dims[PEFT_MAX_DIMS])
{
    const int k = i && mask && dims ? find_mask(i, mask) : -1;
    if (k < 0 || k == i->masks) return 0;
    const peft_tensor *value = &i->mask[k]->p->value;
    memcpy(dims, value->dim, sizeof *dims * (size_t)value->ndim);
    return value->ndim;
}

peft_status peft_importance_scores(const peft_importance *i, const char *mask, const peft_options *o, peft_tensor *out)
{
    pf_scoring scoring;
    if (!i || !mask || !out)
        return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", !i ? "importance" : mask ? "scores" : "mask");
    PF_TRY(pf_options_check(o, pf_scoring_options, "peft_importance_scores"));
    PF_TRY(pf_scoring_read(o, &scoring));
    PF_TRY(pf_importance_ready(i, "peft_importance_scores"));
    const int k = find_mask(i, mask);
    if (k == i->masks)
        return pf_fail(PEFT_E_NOTFOUND, "mask: given '%.60s', expected the option of a trained mask of method '%s', "
                       "such as '%s'", mask, i->adapter->method->name, i->mask[0]->option);
    const peft_tensor *value = &i->mask[k]->p->value;
    if (out->type != PEFT_F32) return pf_fail(PEFT_E_DTYPE, "scores: expected a tensor of type f32");
    if (out->ndim != value->ndim || memcmp(out->dim, value->dim, sizeof(int64_t) * (size_t)value->ndim)) {
        char given[96], expected[96];
        return pf_fail(PEFT_E_SHAPE, "scores: given %s, expected %s", pf_dims_text(given, sizeof given, out->ndim,
                       out->dim), pf_dims_text(expected, sizeof expected, value->ndim, value->dim));
    }
    const int64_t count = elements_of(i->mask[k]);
    double *scores = pf_alloc(i->adapter->backbone->ctx, (size_t)count * sizeof *scores);
    if (!scores) return pf_nomem("scores", (size_t)count * sizeof *scores);
    pf_mask_scores(i, k, scoring, scores);
    for (int64_t e = 0; e < count; e++) ((float *)out->data)[e] = (float)scores[e];
    pf_free(i->adapter->backbone->ctx, scores);
    return PEFT_OK;
}
