/* SPDX-License-Identifier: Apache-2.0
 * rules.h -- flags of the rules of aggregation, of aggregate and federate. */
#ifndef FEDERATED_RULES_H
#define FEDERATED_RULES_H
#include "common/flags/flags.h"
#include <peft/peft.h>

/* lora is the first; aggregation_options reads them from there. */
#define AGGREGATION_FLAGS(X) \
    X(lora, "factors|product|stack", "factors", "pairs of LoRA factors: the mean of each factor (biased), the " \
      "matrices nearest to the mean update, or exactly the mean update, whose rank is the sum of the ranks") \
    X(ept, "values|logits|mass", "values", "prompts of ept: their mean, or the mean of z or of exp(z)") \
    X(clip, "NORM", NULL, "shorten the change of each site to this L2 norm") \
    X(noise, "SIGMA", NULL, "with --clip: Gaussian noise on the sum, of the deviation SIGMA * NORM") \
    X(noise_sites, "MEAN", NULL, "with --noise: the sites that a round has on average, by which the noisy sum is " \
      "divided; without it the number of sites is revealed") \
    X(noise_seed, "N", NULL, "seed of the noise, for tests; without it of the system's random numbers")
#define AGGREGATION_ID(name, argument, value, help) aggregation_##name,
enum { AGGREGATION_FLAGS(AGGREGATION_ID) aggregation_flags };

/* The options of peft_aggregator_create for a round, to be freed; f: the flag lora and those behind it. Each round has
 * noise of its own, also with --noise-seed. */
peft_options *aggregation_options(peft_context *ctx, const flag *f, int64_t round);
#endif
