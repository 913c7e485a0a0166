/* SPDX-License-Identifier: Apache-2.0
 * opt_preset.c -- words for methods whose options come in named sets: other defaults, and other initial values. */
#include "core/model/adapter.h"

void peft_opt_default(peft_adapter *a, const char *name, const char *value)
{
    if (a->status || pf_options_has(a->options, name)) return;
    if (!a->options) a->status = peft_options_create(a->backbone->ctx, &a->options);
    if (!a->status) a->status = peft_options_set_string(a->options, name, value);
}

void peft_redraw(peft_adapter *a, peft_param *p, const char *init)
{
    if (!a->status && !a->blank && p) a->status = pf_param_draw(a->backbone->ctx, p, init);
}
