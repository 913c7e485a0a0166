/* SPDX-License-Identifier: Apache-2.0
 * opt_preset.c -- functions of peft/sys/method.h for methods with named presets of options, and for an initial value
 * that depends on options. */
#include <stdio.h>
#include <string.h>
#include "core/adapt/adapter.h"

/* Sets the options of settings, such as "r=8,alpha=16", that the adapter was not given. */
static void apply_settings(peft_adapter *a, const char *settings)
{
    peft_options *preset = NULL;
    if (!a->options) a->status = peft_options_create(a->backbone->ctx, &a->options);
    if (!a->status) a->status = peft_options_create(a->backbone->ctx, &preset);
    if (!a->status) a->status = peft_options_parse(preset, settings);
    for (size_t i = 0; !a->status && i < pf_options_count(preset); i++) {
        const char *name = pf_options_name(preset, i);
        if (pf_options_has(a->options, name)) continue;
        a->status = peft_options_set_string(a->options, name, pf_options_setting(preset, name));
    }
    peft_options_free(preset);
    if (!a->status) a->status = pf_options_check(a->options, a->method->opts, a->method->name);
}

/* Finds the preset that the option names and applies its settings; for an unknown name the error lists all presets. */
void peft_sys_opt_preset(peft_adapter *a, const char *option, const peft_preset *presets)
{
    const char *chosen = peft_sys_opt_string(a, option);
    char known[200] = "none";                          /* the names so far, for the error message */
    size_t used = strlen(known);
    if (a->status || !strcmp(chosen, "none")) return;
    for (; presets->name; presets++) {
        if (!strcmp(chosen, presets->name)) {
            apply_settings(a, presets->settings);
            return;
        }
        int n = snprintf(known + used, sizeof known - used, ", %s", presets->name);
        if (n > 0 && (size_t)n < sizeof known - used) used += (size_t)n;
    }
    peft_sys_reject_option(a, option, known);
}

void peft_sys_set_init(peft_adapter *a, peft_param *p, const char *init)
{
    if (!a->status && !a->skip_init && p) a->status = pf_param_draw(a->backbone->ctx, p, init);
}
