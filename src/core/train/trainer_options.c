/* SPDX-License-Identifier: Apache-2.0
 * trainer_options.c -- the table of a trainer's options. */
#include "core/train/trainer.h"

const pf_opt pf_trainer_options[] = {
    { "batch", 'i', "4", 1, 65536, "largest number of samples in a step" },
    { "samples", 'i', "0", 0, 1e15, "samples in an epoch, if known: a last batch that cannot be trained on is then "
      "refused when the trainer is made; 0: not known" },
    { "loss", 's', "ce", 0, 0, "what is minimised"
#define PF_LOSS(name, help) "; " #name ": " help
#include "core/graph/loss/losses.def"
    },
#define PF_LOSS_NUMBER(name, fallback, lo, hi, help) { #name, 'f', fallback, lo, hi, help },
#define PF_LOSS_FLAG(name, fallback, help) { #name, 'b', fallback, 0, 0, help },
#define PF_LOSS_LIST(name, help) { #name, 's', "", 0, 0, help },
#include "core/graph/loss/losses.def"
    { "weight_reduction", 's', "auto", 0, 0, "what the loss is divided by where there are class_weights: weights (the "
      "sum of the labels' weights), batch, or auto (weights for ce and focal, batch for soft_ce)" },
    { "ignore_index", 's', "none", 0, 0, "label of samples, or of pixels of a map, that the loss leaves out; none: a "
      "label that is no class is an error" },
    { "optimizer", 's', "adamw", 0, 0, "rule of the updates: adamw or sgd" },
    { "lr", 'f', "1e-3", 0, PF_LR_MAX, "learning rate, before schedule and groups" },
    { "weight_decay", 'f', "0", 0, 1e6, "decoupled weight decay of the tensors that decay_on names; see "
      "peft_trainer_group" },
    { "decay_on", 's', "all", 0, 0, "which tensors decay: all, or matrices (two or more extents: no biases, norms, "
      "scales)" },
    { "beta1", 'f', "0.9", 0, 0.9999999, "adamw: decay rate of the first moment" },
    { "beta2", 'f', "0.999", 0, 0.9999999, "adamw: decay rate of the second moment" },
    { "eps", 'f', "1e-8", 1e-30, 1, "adamw: added to the root of the second moment" },
    { "momentum", 'f', "0.9", 0, 1, "sgd: factor of the last update's direction" },
    { "nesterov", 'b', "false", 0, 0, "sgd: Nesterov's momentum" },
    { "extrapolate", 's', "none", 0, 0, "sgd: gradients are computed at the parameters minus a step along a direction: "
      "gradient (this rank's mean gradient at its last update, not clipped), noise (standard normal, drawn for each "
      "pass), momentum (the momentum buffer), or none" },
    { "extrapolate_lr", 'f', "0", 0, PF_LR_MAX, "length of that step in units of the direction; it changes with the "
      "schedule and groups as lr does" },
    { "proximal", 'f', "0", 0, 1e12, "factor mu of FedProx's term mu/2 |w - w0|^2, where w0 are the parameters when "
      "the trainer was made (after a warm start: then); its gradient is added before the norm is clipped" },
    { "local_steps", 'i', "1", 1, 1e15, "with a reducer of several ranks: updates that each rank makes from its own "
      "gradients before the parameters become their mean over the ranks; 1: the gradients are added up instead, at "
      "every update" },
    { "local_from", 'i', "0", 0, 1e15, "with local_steps: number of updates before the first of these" },
    { "clip_norm", 'f', "0", 0, 1e12, "largest L2 norm of all gradients together, to which they are scaled down; 0: no "
      "clipping" },
    { "accumulate", 'i', "1", 1, 1 << 20, "backward passes whose mean makes one update" },
    { "schedule", 's', "constant", 0, 0, "how the learning rate changes: constant, cosine, linear, warmup_cosine, "
      "warmup_linear, warmup_cosine_full_period or step" },
    { "steps", 'i', "0", 0, 1e15, "length of the schedule in updates" },
    { "warmup", 'i', "0", 0, 1e15, "number of updates of the warm-up" },
    { "start_lr", 'f', "0", 0, 1e6, "learning rate at which the warm-up starts" },
    { "min_lr", 'f', "0", 0, 1e6, "learning rate at which cosine and linear schedules end" },
    { "decay_every", 'i', "1", 1, 1e15, "schedule step: number of updates between two decays" },
    { "decay", 'f', "0.1", 0, 1, "schedule step: factor of each decay" },
    { "steps_per_epoch", 'i', "0", 0, 1e15, "updates in an epoch, so that the rate changes with the epoch only; 0: "
      "with each update" },
    { "cache_features", 'i', "0", 0, 9e15, "most bytes of features of the frozen part that are kept by sample id; 0: "
      "none" },
    { "cache_file", 's', "", 0, 0, "file that keeps the features for later trainers; none: in memory" },
    { "cache_type", 's', "f32", 0, 0, "element type of kept features: f32, or f16 (half the bytes, rounded)" },
    { "keep", 's', "auto", 0, 0, "type in which values of the forward pass are kept for the backward pass: f32, bf16 "
      "(half the memory; gradients change by up to 1 %), or auto (bf16 for compute=bf16, else f32)" },
    { "threads", 'i', "0", 0, 1024, "threads that compute; 0: the context's number" },
    PF_COMPILE_OPTIONS,
    { 0 } };

const peft_option *peft_trainer_option(size_t i) { return pf_option_at(pf_trainer_options, i); }
