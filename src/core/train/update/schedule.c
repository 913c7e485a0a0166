/* SPDX-License-Identifier: Apache-2.0
 * schedule.c -- learning-rate schedules with the names and formulas of timm, Hugging Face and mmcls. */
#include "core/train/update/schedule.h"
#include <math.h>
#include <string.h>
#include "core/options/options.h"

static const double pi = 3.14159265358979323846;
static const char *const names[] = {
    [PF_LR_CONSTANT] = "constant", [PF_LR_COSINE] = "cosine", [PF_LR_WARMUP_COSINE] = "warmup_cosine",
    [PF_LR_WARMUP_COSINE_FULL] = "warmup_cosine_full_period", [PF_LR_STEP] = "step",
    [PF_LR_LINEAR] = "linear", [PF_LR_WARMUP_LINEAR] = "warmup_linear",
};
#define KINDS (sizeof names / sizeof *names)

peft_status pf_schedule_parse(const char *name, pf_schedule_kind *kind)
{
    if (!name) return pf_fail(PEFT_E_INVALID, "schedule: the name is NULL");
    for (size_t i = 0; i < KINDS; i++)
        if (!strcmp(name, names[i])) { *kind = (pf_schedule_kind)i; return PEFT_OK; }
    const char *near = pf_nearest(name, names, KINDS);
    return pf_fail(PEFT_E_OPTION, "schedule is '%s', expected constant, cosine, linear, "
                   "warmup_cosine, warmup_linear, warmup_cosine_full_period or step%s%s%s", name,
                   near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
}

const char *pf_schedule_name(pf_schedule_kind kind)
{
    return (size_t)kind < KINDS ? names[kind] : "";
}

/* The rate begins with a line from start_lr to lr. */
static bool warms_up(pf_schedule_kind k)
{
    return k == PF_LR_WARMUP_COSINE || k == PF_LR_WARMUP_COSINE_FULL || k == PF_LR_WARMUP_LINEAR;
}
/* The rate falls from lr to min_lr over `steps` updates. */
static bool falls(pf_schedule_kind k) { return k == PF_LR_COSINE || k == PF_LR_LINEAR || warms_up(k); }

double pf_schedule_floor(const pf_schedule *s) { return falls(s->kind) ? s->min_lr : 0; }
bool pf_schedule_allows(const pf_schedule *s, double lr) { return lr >= pf_schedule_floor(s) && lr <= PF_LR_MAX; }

/* The error of a learning rate or factor, option = v; expected: what the message asks for. */
static peft_status bad_rate(const char *option, double v, const char *expected)
{
    char text[40];
    pf_print_float(text, sizeof text, v);
    return pf_fail(PEFT_E_OPTION, "%s is %s, expected %s", option, text, expected);
}

/* The error of a number of updates that the kind of schedule does not allow. */
static peft_status bad_count(const pf_schedule *s, const char *option, int64_t v, const char *expected)
{
    return pf_fail(PEFT_E_OPTION, "%s is %lld, schedule '%s' expects %s", option, (long long)v,
                   pf_schedule_name(s->kind), expected);
}

static bool rate_ok(double v) { return isfinite(v) && v >= 0; }

peft_status pf_schedule_check(const pf_schedule *s)
{
    if ((size_t)s->kind >= KINDS)
        return pf_fail(PEFT_E_OPTION, "schedule: given kind %d, expected 0 to %d", (int)s->kind, (int)KINDS - 1);
    if (!rate_ok(s->lr)) return bad_rate("lr", s->lr, "a finite number of at least 0");
    if (!rate_ok(s->min_lr) || (falls(s->kind) && s->min_lr > s->lr))
        return bad_rate("min_lr", s->min_lr, "a number between 0 and lr");
    if (!rate_ok(s->start_lr)) return bad_rate("start_lr", s->start_lr, "a finite number of at least 0");
    if (s->steps_per_epoch < 0) return bad_count(s, "steps_per_epoch", s->steps_per_epoch, "0 (no epochs) or more");
    if (falls(s->kind) && s->steps < 1) return bad_count(s, "steps", s->steps, "at least 1");
    if (s->warmup < 0 || (warms_up(s->kind) && s->warmup > s->steps))
        return bad_count(s, "warmup", s->warmup, "0 .. steps");
    if (s->warmup > 0 && !warms_up(s->kind))
        return bad_count(s, "warmup", s->warmup, "0 (the schedules that warm up have warmup_ in their name)");
    if (s->kind == PF_LR_STEP && s->decay_every < 1)
        return bad_count(s, "decay_every", s->decay_every, "at least 1");
    /* "gamma" is the member: a trainer's option "decay" has been checked by its row before */
    if (s->kind == PF_LR_STEP && !rate_ok(s->gamma))
        return bad_rate("gamma", s->gamma, "a finite number of at least 0");
    return PEFT_OK;
}

/* Half a cosine: lr at t = 0, min_lr from t = period on. */
static double cosine(const pf_schedule *s, int64_t t, int64_t period)
{
    if (t >= period) return s->min_lr;
    return s->min_lr + (s->lr - s->min_lr) * (1 + cos(pi * (double)t / (double)period)) / 2;
}

/* A straight line: lr at t = 0, min_lr from t = period on. */
static double line(const pf_schedule *s, int64_t t, int64_t period)
{
    return t >= period ? s->min_lr : s->min_lr + (s->lr - s->min_lr) * (double)(period - t) / (double)period;
}

double pf_schedule_lr(const pf_schedule *s, int64_t step)
{
    /* the step, or the first step of its epoch */
    const int64_t t = s->steps_per_epoch > 0 ? step - step % s->steps_per_epoch : step;
    if (warms_up(s->kind) && t < s->warmup)
        return s->start_lr + (double)t * (s->lr - s->start_lr) / (double)s->warmup;
    switch (s->kind) {
    case PF_LR_COSINE: case PF_LR_WARMUP_COSINE_FULL: return cosine(s, t, s->steps);
    case PF_LR_WARMUP_COSINE: return cosine(s, t - s->warmup, s->steps - s->warmup);
    case PF_LR_LINEAR: return line(s, t, s->steps);
    case PF_LR_WARMUP_LINEAR: return line(s, t - s->warmup, s->steps - s->warmup);
    case PF_LR_STEP: return s->lr * pow(s->gamma, (double)(t / s->decay_every));
    case PF_LR_CONSTANT: break;
    }
    return s->lr;
}
