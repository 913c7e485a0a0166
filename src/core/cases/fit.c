/* SPDX-License-Identifier: Apache-2.0
 * fit.c -- trains a case pool by AdamW on all cases (<peft/case_pool.h>). */
#include <math.h>
#include <string.h>
#include "core/cases/case_pool.h"

/* Shift and scale by which each element of the features has mean 0 and variance 1; a constant one becomes 0. */
static void find_scale(peft_case_pool *p, const pf_case_input *in)
{
    const int64_t width = p->shape.width;
    for (int64_t d = 0; d < width; d++) {
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < in->slices; i++) sum += (double)in->features[i * width + d];
        p->shift[d] = sum / (double)in->slices;
        for (int64_t i = 0; i < in->slices; i++) {
            const double x = (double)in->features[i * width + d] - p->shift[d];
            squares += x * x;
        }
        const double deviation = sqrt(squares / (double)in->slices);
        p->scale[d] = deviation > 1e-12 * fabs(p->shift[d]) ? 1 / deviation : 0;
    }
}

/* Loshchilov and Hutter (2019), Algorithm 2: gradient, first and second moments [count]; the last `undecayed` values
 * have no decay. */
typedef struct adamw { double *gradient, *first, *second; int64_t count, undecayed; double decay; } adamw;

static void update(double *values, const adamw *o, int64_t epoch, double lr)
{
    const double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
    const double correct1 = 1 - pow(beta1, (double)epoch), correct2 = 1 - pow(beta2, (double)epoch);
    for (int64_t i = 0; i < o->count; i++) {
        const double g = o->gradient[i], decay = i < o->count - o->undecayed ? o->decay : 0;
        o->first[i] = beta1 * o->first[i] + (1 - beta1) * g;
        o->second[i] = beta2 * o->second[i] + (1 - beta2) * g * g;
        values[i] -= lr * (decay * values[i] + o->first[i] / correct1 / (sqrt(o->second[i] / correct2) + eps));
    }
}

static peft_status not_finite(const char *what, int64_t epoch)
{
    return pf_fail(PEFT_E_NONFINITE, "peft_case_pool_fit: %s epoch %lld is NaN or Inf; the pool is as before; a "
                   "smaller lr or weight_decay may help", what, (long long)epoch);
}

static peft_status train(peft_case_pool *p, pf_case_pass *pass, const adamw *o, peft_case_pool_fn progress, void *user)
{
    const double pi = 3.14159265358979323846, lr = pf_options_float(p->options, pf_case_options, "lr");
    const int64_t epochs = pf_options_int(p->options, pf_case_options, "epochs");
    for (int64_t e = 0; e < epochs; e++) {
        const double loss = pf_case_pass_loss(pass, o->gradient);
        if (!isfinite(loss)) return not_finite("the loss of", e + 1);
        update(p->values, o, e + 1, lr * 0.5 * (1 + cos(pi * (double)e / (double)epochs)));
        if (!pf_case_all_finite(p->values, o->count)) return not_finite("a parameter after", e + 1);
        p->epochs = e + 1;
        pf_clear_failure();
        if (!progress || !progress(e + 1, loss, user)) continue;
        const peft_status s = pf_last_failure();
        return s ? s : pf_fail(PEFT_E_CANCELLED, "peft_case_pool_fit: stopped after epoch %lld", (long long)e + 1);
    }
    return isfinite(pf_case_pass_loss(pass, NULL)) ? PEFT_OK : not_finite("the loss after", epochs);
}

static peft_status fit(peft_case_pool *p, const pf_case_input *in, peft_case_pool_fn progress, void *user)
{
    const bool training = true;
    const size_t count = (size_t)pf_case_count(&p->shape), stored = count + 2 * (size_t)p->shape.width;
    const size_t bytes = (3 * count + stored) * sizeof(double);         /* stored: values, shift and scale */
    const int64_t epochs = p->epochs;
    pf_case_pass pass;
    adamw o = { .count = (int64_t)count, .undecayed = p->shape.classes,
                .decay = pf_options_float(p->options, pf_case_options, "weight_decay") };
    PF_TRY(pf_case_pass_make(p, in, training, &pass));
    o.gradient = pf_alloc_zero(p->ctx, bytes);
    peft_status s = o.gradient ? PEFT_OK : pf_nomem("training of a case pool", bytes);
    if (!s) {
        o.first = o.gradient + count;
        o.second = o.first + count;
        double *before = o.second + count;
        memcpy(before, p->values, stored * sizeof *before);
        pf_case_initialise(p);
        find_scale(p, in);
        s = train(p, &pass, &o, progress, user);
        if (s == PEFT_E_NONFINITE) {
            memcpy(p->values, before, stored * sizeof *before);
            p->epochs = epochs;
        }
    }
    pf_free(p->ctx, o.gradient);
    pf_case_pass_free(&pass);
    return s;
}

peft_status peft_case_pool_fit(peft_case_pool *p, const float *features, const int64_t *case_of, int64_t slices,
                               int64_t cases, const float *targets, peft_case_pool_fn progress, void *user)
{
    PK_FLOAT_SCOPE;
    const char *who = "peft_case_pool_fit";
    pf_case_input in;
    PF_TRY(pf_case_input_make(who, p, features, case_of, slices, cases, &in));
    peft_status s = pf_case_input_targets(who, p, targets, &in);
    if (!s) s = fit(p, &in, progress, user);
    pf_case_input_free(p, &in);
    return s;
}
