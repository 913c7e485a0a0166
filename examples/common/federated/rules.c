/* SPDX-License-Identifier: Apache-2.0
 * rules.c -- the options of an aggregation from the flags (rules.h). */
#include "rules.h"
#include "common/program/errors.h"
#include "common/program/settings.h"

peft_options *aggregation_options(peft_context *ctx, const flag *f)
{
    static const struct { int flag; const char *option; } table[] = {
        { aggregation_lora, "lora" }, { aggregation_ept, "ept" }, { aggregation_clip, "clip_norm" },
        { aggregation_noise, "noise" }, { aggregation_noise_seed, "seed" } };
    peft_options *o = empty_options(ctx);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (f[table[i].flag].value) must(peft_options_set_string(o, table[i].option, f[table[i].flag].value));
    return o;
}
