/* SPDX-License-Identifier: Apache-2.0
 * unfreeze.c -- the methods that add no tensors and train some of the backbone's, or none. The adapter owns a trainable
 * copy of each trained tensor; the backbone itself does not change. */
#include <peft/sys/method.h>
#include <stdio.h>
#include <string.h>

static const peft_option partial_opts[] = {
    { "blocks", 'i', "1", 1, PEFT_DEPTH_MAX, "with layers=last: how many blocks are trained, counted from the last "
                                             "one" },
    { "layers", 's', "last", 0, 0, "which blocks are trained: last, a list such as 0,3 or 6-11, all, or "
                                   "random:COUNT:SEED (COUNT blocks that the seed chooses)" },
    { "part", 's', "block", 0, 0, "what is trained: block (these blocks and the final norm) or attention (attn.qkv and "
                                  "attn.proj of these blocks alone)" }, { 0 } };

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

/* Norms that method ln_tune can select. In blocks: norm1 before attention, norm2 before the MLP, and those inside
 * attention and MLP that some networks have. Outside: norm_pre before block 0; norm, the last one, and fc_norm after
 * pooling. alias: names in models of Hugging Face. */
enum { NORM1, NORM2, Q_NORM, K_NORM, ATTN_NORM, MLP_NORM, NORM_PRE, NORM, FC_NORM, NORMS };
enum { NORM_ALIASES = 2 };
static const struct { const char *name, *alias[NORM_ALIASES]; } norms[NORMS] = {
    [NORM1] = { "norm1", { "layernorm_before", "layer_norm1" } },
    [NORM2] = { "norm2", { "layernorm_after", "layer_norm2" } }, [Q_NORM] = { "attn.q_norm", { "q_norm" } },
    [K_NORM] = { "attn.k_norm", { "k_norm" } }, [ATTN_NORM] = { "attn.norm", { NULL } },
    [MLP_NORM] = { "mlp.norm", { NULL } }, [NORM_PRE] = { "norm_pre", { "pre_layrnorm" } },
    [NORM] = { "norm", { "layernorm", "post_layernorm" } }, [FC_NORM] = { "fc_norm", { NULL } } };
#define NORM_NAMES \
    "norm1, norm2, attn.q_norm, attn.k_norm, attn.norm, mlp.norm (each also for one block: blocks.3.norm1), " \
    "norm_pre, norm, fc_norm"
static const peft_option ln_tune_opts[] = {
    { "targets", 's', "all", 0, 0, "norms that are trained: all, or any of " NORM_NAMES },
    { "layers", 's', "all", 0, 0, "blocks whose norms are trained, where targets does not name the block" },
    { 0 } };

enum { OUTSIDE = -1 };
/* Makes weight and bias of norm k trainable, in a block or OUTSIDE; for a norm that the backbone lacks returns false. A
 * backbone with only one of norm and fc_norm has it under both names. */
static bool unfreeze_norm(peft_adapter *a, int64_t layer, int k)
{
    char name[48];
    const char *other = k == NORM ? "fc_norm" : k == FC_NORM ? "norm" : NULL;
    if (layer == OUTSIDE) snprintf(name, sizeof name, "%s.weight", norms[k].name);
    else snprintf(name, sizeof name, "blocks.%lld.%s.weight", (long long)layer, norms[k].name);
    if (!peft_sys_backbone_has(a, name) && other) snprintf(name, sizeof name, "%s.weight", other);
    if (!peft_sys_backbone_has(a, name)) return false;
    snprintf(strrchr(name, '.'), sizeof ".*", ".*");
    peft_sys_unfreeze(a, name);
    return true;
}

/* Makes the norm k of the option targets trainable; returns the number of items that name it. */
static int64_t unfreeze_listed(peft_adapter *a, const peft_vit *vit, uint64_t layers, int k)
{
    char path[48];
    bool found = true;
    int64_t whole = peft_sys_opt_lists(a, "targets", norms[k].name), single = 0;
    for (int i = 0; i < NORM_ALIASES && norms[k].alias[i]; i++)
        whole += peft_sys_opt_lists(a, "targets", norms[k].alias[i]);
    for (int64_t l = 0; l < vit->depth && k < NORM_PRE; l++) {
        snprintf(path, sizeof path, "blocks.%lld.%s", (long long)l, norms[k].name);
        const int64_t listed = peft_sys_opt_lists(a, "targets", path)
                             + peft_sys_opt_lists(a, "targets", path + strlen("blocks."));
        if (listed || (whole && layers >> l & 1)) found &= unfreeze_norm(a, l, k);
        single += listed == 1;                             /* given in both forms: refused */
    }
    if (whole && k >= NORM_PRE) found = unfreeze_norm(a, OUTSIDE, k);
    if (!found) peft_sys_reject_option(a, "targets", "norms that this backbone has");
    return whole + single;
}

static peft_status init_ln_tune(peft_adapter *a, const peft_vit *vit)
{
    const uint64_t layers = peft_sys_opt_layers(a, "layers");
    const uint64_t every = vit->depth == PEFT_DEPTH_MAX ? UINT64_MAX : ((uint64_t)1 << vit->depth) - 1;
    const bool all = peft_sys_opt_lists(a, "targets", "all");
    int64_t items = all;
    if (all && layers == every) peft_sys_unfreeze(a, "*norm*");
    for (int k = 0; k < NORMS; k++) {
        items += unfreeze_listed(a, vit, layers, k);
        for (int64_t l = 0; l < vit->depth && all && layers != every && k < NORM_PRE; l++)
            if (layers >> l & 1) unfreeze_norm(a, l, k);
    }
    if (!items || items != peft_sys_opt_items(a, "targets") || (all && items > 1))   /* an item is unknown or twice */
        peft_sys_reject_option(a, "targets", "all, or some of " NORM_NAMES ", each once");
    return peft_sys_init_status(a);
}

/* The blocks that method partial trains: bit l is set for block l. */
static uint64_t chosen_blocks(peft_adapter *a, int64_t depth)
{
    const int64_t last = peft_sys_opt_int(a, "blocks"), first = depth - last;
    uint64_t set = 0;
    if (strcmp(peft_sys_opt_string(a, "layers"), "last")) {
        if (last != 1) peft_sys_reject_option(a, "blocks", "layers=last beside it: layers lists the blocks");
        return peft_sys_opt_layers(a, "layers");
    }
    if (first < 0) peft_sys_reject_option(a, "blocks", "at most the number of blocks of the backbone");
    for (int64_t l = first < 0 ? 0 : first; l < depth; l++) set |= (uint64_t)1 << l;
    return set;
}

/* Trains the chosen blocks, and the final norm under both of its names; or attention layers of the blocks alone. */
static peft_status init_partial(peft_adapter *a, const peft_vit *vit)
{
    const char *part = peft_sys_opt_string(a, "part");
    const bool attention = !strcmp(part, "attention");
    const uint64_t blocks = chosen_blocks(a, vit->depth);
    if (!attention && strcmp(part, "block")) peft_sys_reject_option(a, "part", "block or attention");
    for (int64_t l = 0; l < vit->depth; l++) {
        static const char *const tensors[] = { "attn.qkv.*", "attn.proj.*" };
        char pattern[32];
        for (int i = 0; i < 2 && blocks >> l & 1; i++) {
            snprintf(pattern, sizeof pattern, "blocks.%d.%s", (int)l, attention ? tensors[i] : "*");
            peft_sys_unfreeze(a, pattern);
            if (!attention) break;
        }
    }
    if (attention) return peft_sys_init_status(a);
    peft_sys_unfreeze(a, "norm.*");
    peft_sys_unfreeze(a, "fc_norm.*");
    return peft_sys_init_status(a);
}

const peft_method pf_method_linear  = { .name = "linear", .summary = "the head alone (linear probing)", .paper = "",
                                        .init = init_linear };
const peft_method pf_method_full    = { .name = "full", .summary = "every tensor of the backbone", .paper = "",
                                        .init = init_full };
const peft_method pf_method_partial = { .name = "partial", .paper = "",
                                        .summary = "the last blocks, or chosen ones, and the final norm",
                                        .opts = partial_opts, .init = init_partial };
const peft_method pf_method_bitfit  = { .name = "bitfit", .summary = "every bias of the backbone",
                                        .paper = "arXiv:2106.10199", .init = init_bitfit };
const peft_method pf_method_ln_tune = { .name = "ln_tune", .summary = "scale and shift of every LayerNorm",
                                        .paper = "Basu et al., AAAI 2024", .opts = ln_tune_opts,
                                        .init = init_ln_tune };
