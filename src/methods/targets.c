/* SPDX-License-Identifier: Apache-2.0
 * targets.c -- the linear layers that methods adapt: names, widths, and the option that selects them. */
#include "targets.h"
#include <stdio.h>
#include <string.h>

const pf_layer_name pf_layer_names[PF_LAYERS] = {
    [PF_LAYER_QKV]   = { "attn.qkv", PEFT_QKV, { "qkv", "attn.in_proj" } },
    [PF_LAYER_Q]     = { "attn.q", PEFT_Q, { "q", "query", "q_proj", "attention.query", "attention.attention.query",
                                             "attention.q_proj", "self_attn.q_proj" } },
    [PF_LAYER_K]     = { "attn.k", PEFT_K, { "k", "key", "k_proj", "attention.key", "attention.attention.key",
                                             "attention.k_proj", "self_attn.k_proj" } },
    [PF_LAYER_V]     = { "attn.v", PEFT_V, { "v", "value", "v_proj", "attention.value", "attention.attention.value",
                                             "attention.v_proj", "self_attn.v_proj" } },
    [PF_LAYER_PROJ]  = { "attn.proj", PEFT_PROJ, { "proj", "o_proj", "out_proj", "attention.output.dense",
                                                   "attention.o_proj", "self_attn.out_proj", "attn.out_proj" } },
    [PF_LAYER_FC1]   = { "mlp.fc1", PEFT_FC1, { "fc1", "intermediate.dense", "mlp.weights_in", "weights_in", "mlp.w12",
                                                "w12" } },
    [PF_LAYER_FC1_G] = { "mlp.fc1_g", PEFT_FC1, { "fc1_g", "gate_proj", "mlp.gate_proj" } },
    [PF_LAYER_FC1_X] = { "mlp.fc1_x", PEFT_FC1, { "fc1_x", "up_proj", "mlp.up_proj" } },
    [PF_LAYER_FC2]   = { "mlp.fc2", PEFT_FC2, { "fc2", "output.dense", "mlp.weights_out", "weights_out", "mlp.w3", "w3",
                                                "mlp.down_proj", "down_proj" } },
    [PF_LAYER_PATCH] = { "patch_embed.proj", PEFT_PATCH, { "projection", "patch_embeddings.projection",
                                                           "embeddings.patch_embeddings.projection",
                                                           "patch_embedding", "embeddings.patch_embedding" } } };

bool pf_is_part(pf_layer k) { return strcmp(pf_layer_tensor(k), pf_layer_names[k].name) != 0; }

int64_t pf_layer_in(const peft_vit *v, pf_layer k)
{
    return k == PF_LAYER_FC2 ? v->mlp : k == PF_LAYER_PATCH ? v->patch_values : v->width;
}

int64_t pf_layer_out(const peft_vit *v, pf_layer k)
{
    if (k == PF_LAYER_FC1_G || k == PF_LAYER_FC1_X) return v->mlp;
    return k == PF_LAYER_QKV ? 3 * v->width : k == PF_LAYER_FC1 ? v->fc1 : v->width;
}

const char *pf_layer_tensor(pf_layer k)
{
    if (k == PF_LAYER_Q || k == PF_LAYER_K || k == PF_LAYER_V) k = PF_LAYER_QKV;
    if (k == PF_LAYER_FC1_G || k == PF_LAYER_FC1_X) k = PF_LAYER_FC1;
    return pf_layer_names[k].name;
}

int64_t pf_layer_first_row(const peft_vit *v, pf_layer k)
{
    return k == PF_LAYER_K ? v->width : k == PF_LAYER_V ? 2 * v->width : k == PF_LAYER_FC1_X ? v->mlp : 0;
}

static void write_path(char path[PF_LAYER_PATH], const char *name, int64_t l)
{
    if (l == PF_OUTSIDE) snprintf(path, PF_LAYER_PATH, "%s", name);
    else snprintf(path, PF_LAYER_PATH, "blocks.%d.%s", (int)l, name);
}

void pf_layer_path(char path[PF_LAYER_PATH], pf_layer k, int64_t l) { write_path(path, pf_layer_names[k].name, l); }
void pf_layer_tensor_path(char path[PF_LAYER_PATH], pf_layer k, int64_t l) { write_path(path, pf_layer_tensor(k), l); }

bool pf_is_target(const pf_targets *t, pf_layer k, int64_t block)
{
    return block == PF_OUTSIDE ? k == PF_LAYER_PATCH && t->patch : (bool)(t->block[k] >> block & 1);
}

/* How many items of the option name layer k without a block: 0 or 1; 2 or more if it is given twice. */
static int64_t times_listed(peft_adapter *ad, const char *option, pf_layer k)
{
    int64_t n = peft_sys_opt_lists(ad, option, pf_layer_names[k].name);
    for (int i = 0; i < PF_ALIASES && pf_layer_names[k].alias[i]; i++)
        n += peft_sys_opt_lists(ad, option, pf_layer_names[k].alias[i]);
    return n;
}

/* Adds the blocks of layer k that the option lists one by one, as "blocks.3.attn.q" or "3.attn.q", to t; returns the
 * number of these items. */
static int64_t add_single_blocks(peft_adapter *ad, const peft_vit *v, const char *option, pf_layer k, pf_targets *t)
{
    int64_t items = 0;
    char path[PF_LAYER_PATH];
    for (int64_t l = 0; l < v->depth && k != PF_LAYER_PATCH; l++) {
        pf_layer_path(path, k, l);
        for (int skip = 0; skip < 2; skip++) {
            if (!peft_sys_opt_lists(ad, option, path + (skip ? strlen("blocks.") : 0))) continue;
            items += !(t->block[k] >> l & 1);              /* given in both forms: not counted, hence refused */
            t->block[k] |= (uint64_t)1 << l;
        }
    }
    return items;
}

pf_targets pf_read_targets(peft_adapter *ad, const peft_vit *v, const char *option, const char *layers)
{
    pf_targets t = { .kinds = 0 };
    const uint64_t all = v->depth == PEFT_DEPTH_MAX ? UINT64_MAX : ((uint64_t)1 << v->depth) - 1;
    const uint64_t blocks = layers ? peft_sys_opt_layers(ad, layers) : all;
    int64_t items = 0;
    for (int i = 0; i < PF_LAYERS; i++) {
        const pf_layer k = (pf_layer)i;
        const int64_t listed = times_listed(ad, option, k), single = add_single_blocks(ad, v, option, k, &t);
        if (listed == 1 && k == PF_LAYER_PATCH) t.patch = true;
        else if (listed == 1) t.block[k] |= blocks;
        items += (listed == 1) + single;
        t.kinds += listed == 1 || single;
    }
    if (items != peft_sys_opt_items(ad, option))           /* an item is unknown, or given twice */
        peft_sys_reject_option(ad, option, "some of " PF_TARGET_NAMES ", each once; also " PF_OTHER_TARGET_NAMES);
    if ((t.block[PF_LAYER_FC1_G] || t.block[PF_LAYER_FC1_X]) && v->fc1 != 2 * v->mlp)
        peft_sys_reject_option(ad, option, "mlp.fc1 in place of mlp.fc1_g and mlp.fc1_x: this backbone's MLP has no "
                               "gate");
    return t;
}

bool pf_is_half(pf_layer k) { return k == PF_LAYER_FC1_G || k == PF_LAYER_FC1_X; }

void pf_fill_zeros(void *user, peft_real *data, int64_t count)
{
    (void)user;
    for (int64_t i = 0; i < count; i++) data[i] = 0;
}

void pf_fill_ones(void *user, peft_real *data, int64_t count)
{
    (void)user;
    for (int64_t i = 0; i < count; i++) data[i] = 1;
}

peft_val pf_whole_output(peft_build *b, const peft_vit *v, pf_layer k, peft_val y)
{
    if (!pf_is_half(k)) return y;
    const int64_t tokens = peft_sys_extent(b, y, 1);
    peft_val zeros = peft_sys_constant(b, PEFT_DIMS(v->mlp, tokens), pf_fill_zeros, NULL, "columns.%d", (int)tokens);
    y = peft_sys_insert_rows(b, peft_sys_transpose(b, y), v->mlp - pf_layer_first_row(v, k), zeros);
    return peft_sys_transpose(b, y);
}

bool pf_targets_overlap(const pf_targets *t)
{
    const uint64_t *set = t->block;
    return (set[PF_LAYER_QKV] & (set[PF_LAYER_Q] | set[PF_LAYER_K] | set[PF_LAYER_V]))
        || (set[PF_LAYER_FC1] & (set[PF_LAYER_FC1_G] | set[PF_LAYER_FC1_X]));
}
