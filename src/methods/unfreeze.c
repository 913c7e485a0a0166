/* SPDX-License-Identifier: Apache-2.0
 * unfreeze.c -- the methods that add no tensors and train some of the backbone's, or none. The adapter owns a trainable
 * copy of each trained tensor; the backbone itself does not change. */
#include <peft/sys/method.h>
#include <stdio.h>

static const peft_option partial_opts[] = {
    { "blocks", 'i', "1", 1, PEFT_DEPTH_MAX, "how many blocks are trained, counted from the last one" }, { 0 } };

/* Trains nothing: the model's head is trained with every method. */
static peft_status init_linear(peft_adapter *a, const peft_vit *vit)
{
    (void)vit;
    return peft_sys_init_status(a);
}

static peft_status init_full(peft_adapter *a, const peft_vit *vit)
{
    (void)vit;
    peft_sys_unfreeze(a, "*");
    return peft_sys_init_status(a);
}

static peft_status init_bitfit(peft_adapter *a, const peft_vit *vit)
{
    (void)vit;
    peft_sys_unfreeze(a, "*bias*");
    return peft_sys_init_status(a);
}

static peft_status init_ln_tune(peft_adapter *a, const peft_vit *vit)
{
    (void)vit;
    peft_sys_unfreeze(a, "*norm*");
    return peft_sys_init_status(a);
}

/* Trains the last blocks, and the final norm under both of its names. */
static peft_status init_partial(peft_adapter *a, const peft_vit *vit)
{
    int64_t first = vit->depth - peft_sys_opt_int(a, "blocks");
    if (first < 0) peft_sys_reject_option(a, "blocks", "at most the number of blocks of the backbone");
    for (int64_t l = first < 0 ? 0 : first; l < vit->depth; l++) {
        char pattern[32];
        snprintf(pattern, sizeof pattern, "blocks.%lld.*", (long long)l);
        peft_sys_unfreeze(a, pattern);
    }
    peft_sys_unfreeze(a, "norm.*");
    peft_sys_unfreeze(a, "fc_norm.*");
    return peft_sys_init_status(a);
}

const peft_method pf_method_linear  = { .name = "linear", .summary = "the head alone (linear probing)", .paper = "",
                                        .init = init_linear };
const peft_method pf_method_full    = { .name = "full", .summary = "every tensor of the backbone", .paper = "",
                                        .init = init_full };
const peft_method pf_method_partial = { .name = "partial", .summary = "the last blocks and the final norm", .paper = "",
                                        .opts = partial_opts, .init = init_partial };
const peft_method pf_method_bitfit  = { .name = "bitfit", .summary = "every bias of the backbone",
                                        .paper = "arXiv:2106.10199", .init = init_bitfit };
const peft_method pf_method_ln_tune = { .name = "ln_tune", .summary = "scale and shift of every LayerNorm",
                                        .paper = "Basu et al., AAAI 2024", .init = init_ln_tune };
