/* SPDX-License-Identifier: Apache-2.0
 * groups.c -- optimiser settings that the application makes for parameters by pattern (factor of the learning rate,
 * weight decay, frozen or not), and peft_trainer_set_lr. */
#include <math.h>
#include <string.h>
#include "core/options/glob.h"
#include "core/options/options.h"
#include "core/train/trainer.h"

/* The pattern "group:head" matches every parameter of group "head" (peft_param_group); any other is compared with the
 * parameter's name. */
static bool matches(const char *pattern, const pf_param *p)
{
    static const char prefix[] = "group:";
    const size_t n = sizeof prefix - 1;
    return strncmp(pattern, prefix, n) ? pf_glob(pattern, p->name) : pf_glob(pattern + n, p->group);
}

/* Checks the arguments that peft_trainer_group and peft_trainer_freeze share. PEFT_E_NOTFOUND: no parameter matches. */
static peft_status check_pattern(const peft_trainer *t, const char *pattern)
{
    if (!t || !pattern) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", t ? "pattern" : "trainer");
    for (size_t i = 0; i < t->trained_count; i++) if (matches(pattern, t->trained[i].p)) return PEFT_OK;
    return pf_fail(PEFT_E_NOTFOUND, "pattern '%.200s': no trained parameter has such a name or group; expected a name "
                   "as peft_param_name gives it (* and ? stand for other characters), or group:NAME", pattern);
}

peft_status peft_trainer_group(peft_trainer *t, const char *pattern, double lr_scale, double weight_decay)
{
    PF_TRY(check_pattern(t, pattern));
    if (!(lr_scale >= 0) || !(weight_decay >= 0) || isinf(lr_scale) || isinf(weight_decay))
        return pf_fail(PEFT_E_INVALID, "lr_scale and weight_decay: given %g and %g, expected finite numbers >= 0",
                       lr_scale, weight_decay);
    for (size_t i = 0; i < t->trained_count; i++) {
        if (!matches(pattern, t->trained[i].p)) continue;
        t->trained[i].lr_scale = lr_scale;
        t->trained[i].weight_decay = weight_decay;
    }
    return PEFT_OK;
}

peft_status peft_trainer_freeze(peft_trainer *t, const char *pattern, int frozen)
{
    PF_TRY(check_pattern(t, pattern));
    for (size_t i = 0; i < t->trained_count; i++)
        if (matches(pattern, t->trained[i].p)) t->trained[i].frozen = frozen != 0;
    return PEFT_OK;
}

peft_status peft_trainer_set_lr(peft_trainer *t, double lr)
{
    char given[32], smallest[32];
    if (!t) return pf_fail(PEFT_E_INVALID, "trainer is NULL: expected a pointer");
    const double floor = pf_schedule_floor(&t->schedule);
    if (pf_schedule_allows(&t->schedule, lr)) {
        t->schedule.lr = lr;
        return PEFT_OK;
    }
    pf_print_float(given, sizeof given, lr);
    pf_print_float(smallest, sizeof smallest, floor);
    return pf_fail(PEFT_E_INVALID, "lr: given %s, expected a number from %s%s to 1e6", given, smallest,
                   floor > 0 ? " (min_lr)" : "");
}
