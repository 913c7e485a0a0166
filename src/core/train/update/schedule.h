/* SPDX-License-Identifier: Apache-2.0
 * schedule.h -- learning-rate schedules: the rate as a function of the step. They have no state but the step. */
#ifndef PF_SCHEDULE_H
#define PF_SCHEDULE_H
#include <stdbool.h>
#include <stdint.h>
#include "core/base/error.h"

/* The rate as a function of t: the step, counted from 0, or, with steps_per_epoch > 0, the first step of its epoch. */
typedef enum pf_schedule_kind {
    PF_LR_CONSTANT,            /* lr */
    PF_LR_COSINE,              /* half a cosine from lr at step 0 down to min_lr at `steps` */
    PF_LR_WARMUP_COSINE,       /* a line from start_lr to lr over `warmup` steps, then the cosine over the rest */
    PF_LR_WARMUP_COSINE_FULL,  /* the same line, then PF_LR_COSINE as it is from t = warmup on */
    PF_LR_STEP,                /* lr * gamma^k, k = t / decay_every rounded down */
    PF_LR_LINEAR,              /* a line from lr at step 0 down to min_lr at `steps` */
    PF_LR_WARMUP_LINEAR        /* a line from start_lr to lr over `warmup` steps, then the line down over the rest */
} pf_schedule_kind;

typedef struct pf_schedule {
    pf_schedule_kind kind;
    double lr, min_lr, start_lr;
    int64_t steps;             /* length of the run; after it the last value stays */
    int64_t warmup;            /* steps of warm-up; 0 for kinds without it */
    int64_t decay_every;       /* PF_LR_STEP: steps between two decays */
    double gamma;              /* PF_LR_STEP: factor of each decay (option decay) */
    int64_t steps_per_epoch;   /* > 0: the rate changes at the start of an epoch only; 0: at every step */
} pf_schedule;

/* name: "constant", "cosine" and so on (schedule.c); any other: PEFT_E_OPTION. */
peft_status pf_schedule_parse(const char *name, pf_schedule_kind *kind);
const char *pf_schedule_name(pf_schedule_kind kind);
/* PEFT_E_OPTION: a number is out of the range that this kind of schedule needs. */
peft_status pf_schedule_check(const pf_schedule *s);
#define PF_LR_MAX 1e6                                             /* the largest s->lr allowed */
double      pf_schedule_floor(const pf_schedule *s);              /* the smallest s->lr allowed: min_lr, or 0 */
bool        pf_schedule_allows(const pf_schedule *s, double lr);  /* Is lr between these bounds? */
double      pf_schedule_lr(const pf_schedule *s, int64_t step);   /* s must have passed pf_schedule_check; step >= 0 */
#endif
