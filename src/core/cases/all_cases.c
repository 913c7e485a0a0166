/* SPDX-License-Identifier: Apache-2.0
 * all_cases.c -- the network on all cases, divided among threads (case_pool.h). */
#include <math.h>
#include <string.h>
#include "core/cases/case_pool.h"

peft_status pf_case_pass_make(const peft_case_pool *p, const pf_case_input *in, bool training, pf_case_pass *pass)
{
    const size_t gradients = training ? (size_t)pf_case_count(&p->shape) : 0;
    size_t each, count, bytes;
    *pass = (pf_case_pass){ .p = p, .in = in, .training = training };
    if (!pf_add_size((size_t)pf_case_work_count(&p->shape, in->most), gradients + 1, &each) ||
        !pf_mul_size(each, PF_CASE_TASKS, &count) || !pf_mul_size(count, sizeof(double), &bytes)) bytes = SIZE_MAX;
    pass->memory = bytes == SIZE_MAX ? NULL : pf_alloc(p->ctx, bytes);
    if (!pass->memory) return pf_nomem("attention over slices", bytes);
    pass->loss = pass->memory;
    pass->gradient = pass->loss + PF_CASE_TASKS;
    return PEFT_OK;
}

void pf_case_pass_free(pf_case_pass *pass) { pf_free(pass->p->ctx, pass->memory); }

/* Copies what was found of case n to the caller's arrays. */
static void hand_over(const pf_case_pass *pass, int64_t n, const pf_case_work *k)
{
    const pf_case_input *in = pass->in;
    const int64_t classes = pass->p->shape.classes;
    if (pass->probabilities) memcpy(pass->probabilities + n * classes, k->y, (size_t)classes * sizeof *k->y);
    for (int64_t i = in->first[n]; pass->weights && i < in->first[n + 1]; i++)
        pass->weights[in->slice[i]] = k->a[i - in->first[n]];
}

/* Whether the network has found probabilities of a case. NaN of a weight or a logit becomes NaN of a probability. */
static bool has_probabilities(const pf_case_shape *s, const pf_case_work *k)
{
    for (int64_t c = 0; c < s->classes; c++) if (!isfinite(k->y[c])) return false;
    return true;
}

/* The cases of one task. */
static void run_task(void *arg, int64_t task, int worker)
{
    (void)worker;
    pf_case_pass *pass = arg;
    const pf_case_shape *s = &pass->p->shape;
    const pf_case_input *in = pass->in;
    const int64_t parameters = pass->training ? pf_case_count(s) : 0, work = pf_case_work_count(s, in->most);
    double *gradient = pass->training ? pass->gradient + task * parameters : NULL, loss = 0;
    pf_case_work k = pf_case_work_in(s, in->most, pass->gradient + PF_CASE_TASKS * parameters + task * work);
    if (gradient) memset(gradient, 0, (size_t)parameters * sizeof *gradient);
    for (int64_t n = task * in->cases / PF_CASE_TASKS; n < (task + 1) * in->cases / PF_CASE_TASKS; n++) {
        pf_case_forward(pass->p, in, n, &k);
        if (!has_probabilities(s, &k)) loss = NAN;
        if (in->targets) loss += pf_case_backward(pass->p, in, n, &k, gradient);
        else hand_over(pass, n, &k);
    }
    pass->loss[task] = loss;
}

double pf_case_pass_loss(pf_case_pass *pass, double *gradient)
{
    const int64_t parameters = pf_case_count(&pass->p->shape);
    double loss = 0;
    pk_pool_run(pass->p->engine.pool, PF_CASE_TASKS, run_task, pass);
    for (int64_t task = 0; task < PF_CASE_TASKS; task++) loss += pass->loss[task];
    for (int64_t i = 0; gradient && i < parameters; i++) {
        gradient[i] = 0;
        for (int64_t task = 0; task < PF_CASE_TASKS; task++) gradient[i] += pass->gradient[task * parameters + i];
    }
    return loss;
}

bool pf_case_pass_predict(pf_case_pass *pass, double *probabilities, double *weights)
{
    double *const no_gradient = NULL;
    pass->probabilities = probabilities;
    pass->weights = weights;
    return isfinite(pf_case_pass_loss(pass, no_gradient));
}

bool pf_case_all_finite(const double *v, int64_t count)
{
    for (int64_t i = 0; i < count; i++) if (!isfinite(v[i])) return false;
    return true;
}

/* The caller can write to the parameters, and training can make them so large that the network overflows. */
static peft_status check_parameters(const char *who, const peft_case_pool *p)
{
    const int64_t count = pf_case_count(&p->shape);
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(p->values[i]))
            return pf_fail(PEFT_E_NONFINITE, "%s: parameter %lld of %lld is NaN or Inf, expected a finite number; fit "
                           "or load the pool again", who, (long long)i, (long long)count);
    return PEFT_OK;
}

static peft_status not_finite(const char *who, const char *what)
{
    return pf_fail(PEFT_E_NONFINITE, "%s: %s NaN or Inf: the parameters are too large; fit the pool with a smaller lr "
                   "or weight_decay", who, what);
}

peft_status peft_case_pool_loss(peft_case_pool *p, const float *features, const int64_t *case_of, int64_t slices,
                                int64_t cases, const float *targets, double *loss, double *gradient)
{
    PK_FLOAT_SCOPE;
    const char *who = "peft_case_pool_loss";
    pf_case_input in;
    pf_case_pass pass;
    if (!loss) return pf_fail(PEFT_E_INVALID, "%s: loss is NULL", who);
    PF_TRY(pf_case_input_make(who, p, features, case_of, slices, cases, &in));
    peft_status s = pf_case_input_targets(who, p, targets, &in);
    if (!s) s = check_parameters(who, p);
    if (!s) s = pf_case_pass_make(p, &in, gradient != NULL, &pass);
    if (!s) {
        const double found = pf_case_pass_loss(&pass, gradient);
        pf_case_pass_free(&pass);
        if (!isfinite(found)) s = not_finite(who, "the loss is");
        else if (gradient && !pf_case_all_finite(gradient, pf_case_count(&p->shape)))
            s = not_finite(who, "a derivative is");
        else *loss = found;
    }
    pf_case_input_free(p, &in);
    return s;
}

peft_status peft_case_pool_predict(peft_case_pool *p, const float *features, const int64_t *case_of, int64_t slices,
                                   int64_t cases, double *probabilities, double *weights)
{
    PK_FLOAT_SCOPE;
    const char *who = "peft_case_pool_predict";
    const bool training = false;
    pf_case_input in;
    pf_case_pass pass;
    PF_TRY(pf_case_input_make(who, p, features, case_of, slices, cases, &in));
    peft_status s = check_parameters(who, p);
    if (!s) s = pf_case_pass_make(p, &in, training, &pass);
    if (!s) {
        if (!pf_case_pass_predict(&pass, probabilities, weights)) s = not_finite(who, "a probability is");
        pf_case_pass_free(&pass);
    }
    pf_case_input_free(p, &in);
    return s;
}
