/* SPDX-License-Identifier: Apache-2.0
 * trainer_options.c -- the table of a trainer's options. */
#include "core/train/trainer.h"

const pf_opt pf_trainer_options[] = {
    { "batch", 'i', "4", 1, 65536, "largest number of samples a step" },
    { "samples", 'i', "0", 0, 1e15, "samples an epoch, as far as known: a last batch that cannot be trained on is then "
      "refused when the trainer is made; 0: not known" },
    { "loss", 's', "ce", 0, 0, "what is minimised"
#define PF_LOSS(name, help) "; " #name ": " help
#include "core/graph/loss/losses.def"
    },
#define PF_LOSS_NUMBER(name, fallback, lo, hi, help) { #name, 'f', fallback, lo, hi, help },
#define PF_LOSS_LIST(name, help) { #name, 's', "", 0, 0, help },
#include "core/graph/loss/losses.def"
    { "weight_reduction", 's', "auto", 0, 0, "with class weights divide by: weights (sum of the labels' weights), "
      "batch, or auto (weights for ce, batch for soft_ce)" },
    { "optimizer", 's', "adamw", 0, 0, "adamw or sgd" },
    { "lr", 'f', "1e-3", 0, 1e6, "learning rate" },
    { "weight_decay", 'f', "0", 0, 1e6, "on the tensors that decay_on names; see peft_trainer_group" },
    { "decay_on", 's', "all", 0, 0, "tensors that decay: all, or matrices (two or more extents: no biases, norms, "
      "scales)" },
    { "beta1", 'f', "0.9", 0, 0.9999999, "adamw" }, { "beta2", 'f', "0.999", 0, 0.9999999, "adamw" },
    { "eps", 'f', "1e-8", 1e-30, 1, "adamw" },
    { "momentum", 'f', "0.9", 0, 1, "sgd" }, { "nesterov", 'b', "false", 0, 0, "sgd" },
    { "clip_norm", 'f', "0", 0, 1e12, "largest L2 norm of all gradients together; 0: off" },
    { "accumulate", 'i', "1", 1, 1 << 20, "backward passes whose mean makes one update" },
    { "schedule", 's', "constant", 0, 0, "constant, cosine, linear, warmup_cosine, warmup_linear, "
      "warmup_cosine_full_period or step" },
    { "steps", 'i', "0", 0, 1e15, "length of the schedule in updates" },
    { "warmup", 'i', "0", 0, 1e15, "updates of warm-up" },
    { "start_lr", 'f', "0", 0, 1e6, "where warm-up starts" },
    { "min_lr", 'f', "0", 0, 1e6, "where cosine and line end" },
    { "decay_every", 'i', "1", 1, 1e15, "updates between decays of schedule step" },
    { "decay", 'f', "0.1", 0, 1, "factor of each of them" },
    { "steps_per_epoch", 'i', "0", 0, 1e15, "> 0: the rate changes with the epoch only" },
    { "cache_features", 'i', "0", 0, 9e15, "bytes for what the frozen part computes, by sample id; 0: off" },
    { "cache_file", 's', "", 0, 0, "file they are kept in beyond this trainer; none: in memory" },
    { "cache_type", 's', "f32", 0, 0, "what they are kept as: f32, or f16 (half the bytes, rounded)" },
    { "threads", 'i', "0", 0, 1024, "0: the context's number" },
    PF_COMPILE_OPTIONS,
    { 0 } };

peft_status peft_trainer_option(size_t i, const char **name, const char **type, const char **fallback,
                                const char **help)
{
    for (size_t k = 0; k <= i; k++)
        if (!pf_trainer_options[k].name) return pf_fail(PEFT_E_NOTFOUND, "trainer option %zu: there are %zu", i, k);
    pf_option_row(&pf_trainer_options[i], name, type, fallback, help);
    return PEFT_OK;
}
