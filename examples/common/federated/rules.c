/* SPDX-License-Identifier: Apache-2.0
 * rules.c -- the options of an aggregation from the flags (rules.h). */
#include "rules.h"
#include "mix.h"
#include "common/program/errors.h"
#include "common/program/settings.h"
#include <inttypes.h>
#include <stdio.h>

/* A seed for each pair of numbers. */
static uint64_t seed_of_round(uint64_t seed, uint64_t round)
{
    return (split_mix(seed, round) >> 12) + 1;                /* 0 would stand for the system's random numbers */
}

peft_options *aggregation_options(peft_context *ctx, const flag *f, int64_t round)
{
    static const struct { int flag; const char *option; } table[] = {
        { aggregation_lora, "lora" }, { aggregation_ept, "ept" }, { aggregation_clip, "clip_norm" },
        { aggregation_noise, "noise" }, { aggregation_noise_sites, "sites" } };
    peft_options *o = empty_options(ctx);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (f[table[i].flag].value) must(peft_options_set_string(o, table[i].option, f[table[i].flag].value));
    if (f[aggregation_noise_seed].value) {
        char text[32];
        const uint64_t seed = seed_of_round((uint64_t)flag_integer(&f[aggregation_noise_seed]), (uint64_t)round);
        snprintf(text, sizeof text, "%" PRIu64, seed);
        must(peft_options_set_string(o, "seed", text));
    }
    return o;
}
