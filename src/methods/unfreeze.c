/* SPDX-License-Identifier: Apache-2.0
 * unfreeze.c -- the methods that add nothing and train part of the backbone itself: a copy of
 * each named tensor belongs to the adapter, the backbone stays as it is. */
#include "core/method.h"
#include <stdio.h>

static const pf_opt partial_opts[] = {
    { "blocks", 'i', "1", 1, 64, "how many blocks, counted from the top" }, { 0 } };

static peft_status nothing(pf_adapter *a, const pf_vit *vit)
{
    (void)vit;
    return pf_done(a);
}

static peft_status everything(pf_adapter *a, const pf_vit *vit)
{
    (void)vit;
    pf_unfreeze(a, "*");
    return pf_done(a);
}

static peft_status biases(pf_adapter *a, const pf_vit *vit)
{
    (void)vit;
    pf_unfreeze(a, "*bias*");
    return pf_done(a);
}

static peft_status norms(pf_adapter *a, const pf_vit *vit)
{
    (void)vit;
    pf_unfreeze(a, "*norm*");
    return pf_done(a);
}

static peft_status last_blocks(pf_adapter *a, const pf_vit *vit)
{
    int64_t first = vit->depth - pf_opt_int(a, "blocks");
    if (first < 0) pf_reject(a, "blocks", "no more than the backbone has");
    for (int64_t l = first < 0 ? 0 : first; l < vit->depth; l++) {
        char pattern[32];
        snprintf(pattern, sizeof pattern, "blocks.%lld.*", (long long)l);
        pf_unfreeze(a, pattern);
    }
    pf_unfreeze(a, "norm.*");
    pf_unfreeze(a, "fc_norm.*");
    return pf_done(a);
}

const pf_method pf_method_linear  = { .name = "linear", .summary = "the head alone (linear probing)", .paper = "",
                                      .init = nothing };
const pf_method pf_method_full    = { .name = "full", .summary = "every tensor of the backbone", .paper = "",
                                      .init = everything };
const pf_method pf_method_partial = { .name = "partial", .summary = "the last blocks and the final norm", .paper = "",
                                      .opts = partial_opts, .init = last_blocks };
const pf_method pf_method_bitfit  = { .name = "bitfit", .summary = "every bias of the backbone",
                                      .paper = "arXiv:2106.10199",
                                      .init = biases };
const pf_method pf_method_ln_tune = { .name = "ln_tune", .summary = "scale and shift of every LayerNorm",
                                      .paper = "Basu et al., AAAI 2024", .init = norms };
