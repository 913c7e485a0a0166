/* SPDX-License-Identifier: Apache-2.0
 * opt_preset.c -- words for methods whose options come in named sets: other defaults, and other initial values. */
#include <stdio.h>
#include <string.h>
#include "core/adapt/adapter.h"

static void take(peft_adapter *a, const char *settings)
{
    peft_options *set = NULL;
    if (!a->options) a->status = peft_options_create(a->backbone->ctx, &a->options);
    if (!a->status) a->status = peft_options_create(a->backbone->ctx, &set);
    if (!a->status) a->status = peft_options_parse(set, settings);
    for (size_t i = 0; !a->status && i < pf_options_count(set); i++) {
        const char *name = pf_options_name(set, i);
        if (pf_options_has(a->options, name)) continue;
        a->status = peft_options_set_string(a->options, name, pf_options_given(set, name));
    }
    peft_options_free(set);
    if (!a->status) a->status = pf_options_check(a->options, a->method->opts, NULL, a->method->name);
}

void peft_sys_opt_preset(peft_adapter *a, const char *option, const peft_preset *presets)
{
    const char *wish = peft_sys_opt_string(a, option);
    char known[200] = "none";
    size_t used = strlen(known);
    if (a->status || !strcmp(wish, "none")) return;
    for (; presets->name; presets++) {
        if (!strcmp(wish, presets->name)) {
            take(a, presets->settings);
            return;
        }
        int n = snprintf(known + used, sizeof known - used, ", %s", presets->name);
        if (n > 0 && (size_t)n < sizeof known - used) used += (size_t)n;
    }
    peft_sys_reject_option(a, option, known);
}

void peft_sys_set_init(peft_adapter *a, peft_param *p, const char *init)
{
    if (!a->status && !a->blank && p) a->status = pf_param_draw(a->backbone->ctx, p, init);
}
