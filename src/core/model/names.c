/* SPDX-License-Identifier: Apache-2.0
 * names.c -- the names other libraries give to the tensors of a ViT (methods.md 20.2, 20.4), as tables of stems: what
 * timm calls blocks.3.norm1.weight is found by its stem "norm1" among the block rows. */
#include <stdio.h>
#include <string.h>
#include "core/base/glob.h"
#include "core/model/backbone.h"

const char *const pf_naming_name[PF_NAMINGS] = { "timm", "hf", "hf5" };

typedef struct { const char *stem, *names[3]; } row;         /* more than one name: parts stacked along rows */

static const row hf_top[] = {
    { "cls_token", { "embeddings.cls_token" } }, { "reg_token", { "embeddings.register_tokens" } },
    { "pos_embed", { "embeddings.position_embeddings" } }, { "patch_embed.proj", { "embeddings.patch_embeddings.projection" } },
    { "norm", { "layernorm" } }, { 0 } };

static const row hf_block[] = {
    { "norm1", { "layernorm_before" } }, { "norm1", { "norm1" } },
    { "norm2", { "layernorm_after" } }, { "norm2", { "norm2" } },
    { "attn.qkv", { "attention.attention.query", "attention.attention.key", "attention.attention.value" } },
    { "attn.proj", { "attention.output.dense" } },
    { "mlp.fc1", { "intermediate.dense" } }, { "mlp.fc1", { "mlp.fc1" } },
    { "mlp.fc2", { "output.dense" } }, { "mlp.fc2", { "mlp.fc2" } },
    { "ls1.gamma", { "layer_scale1.lambda1" } }, { "ls2.gamma", { "layer_scale2.lambda1" } }, { 0 } };

static const row hf5_block[] = {
    { "norm1", { "layernorm_before" } }, { "norm1", { "norm1" } },
    { "norm2", { "layernorm_after" } }, { "norm2", { "norm2" } },
    { "attn.qkv", { "attention.q_proj", "attention.k_proj", "attention.v_proj" } },
    { "attn.proj", { "attention.o_proj" } }, { "mlp.fc1", { "mlp.fc1" } }, { "mlp.fc2", { "mlp.fc2" } },
    { "ls1.gamma", { "layer_scale1.lambda1" } }, { "ls2.gamma", { "layer_scale2.lambda1" } }, { 0 } };

/* The sentinel tells the naming, what stands in front of it is the file's prefix. */
static const struct { const char *sentinel, *block; const row *top, *rows; } naming[PF_NAMINGS] = {
    [PF_NAMING_TIMM] = { "blocks.0.attn.qkv.weight", "blocks.%lld.", NULL, NULL },
    [PF_NAMING_HF]   = { "encoder.layer.0.attention.attention.query.weight", "encoder.layer.%lld.", hf_top, hf_block },
    [PF_NAMING_HF5]  = { "layers.0.attention.q_proj.weight", "layers.%lld.", hf_top, hf5_block } };

bool pf_naming_detect(const pf_st *file, pf_naming *found, char prefix[PF_NAME_MAX])
{
    for (int n = 0; n < PF_NAMINGS; n++)
        for (size_t i = 0; i < pf_st_count(file); i++) {
            const char *name = pf_st_at(file, i)->name;
            size_t length = strlen(name), tail = strlen(naming[n].sentinel);
            if (length < tail || length - tail >= PF_NAME_MAX || strcmp(name + length - tail, naming[n].sentinel)) continue;
            if (length > tail && name[length - tail - 1] != '.') continue;
            memcpy(prefix, name, length - tail);
            prefix[length - tail] = 0;
            *found = (pf_naming)n;
            return true;
        }
    return false;
}

/* "norm1.weight" -> stem "norm1" and end ".weight"; names without one keep "". */
static const char *split(const char *name, char *stem, size_t room)
{
    snprintf(stem, room, "%s", name);
    char *end = strrchr(stem, '.');
    if (!end || (strcmp(end, ".weight") && strcmp(end, ".bias"))) return "";
    *end = 0;
    return name + (end - stem);
}

bool pf_naming_source(pf_naming n, const char *prefix, const char *name, int variant, pf_source *out)
{
    char stem[PF_NAME_MAX], front[PF_NAME_MAX] = "";
    long long layer = -1;
    int skip = 0;
    memset(out, 0, sizeof *out);
    out->parts = 1;
    bool classifier = pf_is_classifier(name);
    if (n == PF_NAMING_TIMM || (classifier && variant > 0)) {
        snprintf(out->name[0], sizeof out->name[0], "%s%s", prefix, name);
        return variant == (n != PF_NAMING_TIMM);
    }
    if (classifier) {
        snprintf(out->name[0], sizeof out->name[0], "classifier%s", name + strlen("head"));
        return true;
    }
    if (sscanf(name, "blocks.%lld.%n", &layer, &skip) == 1) snprintf(front, sizeof front, naming[n].block, layer);
    const char *end = split(name + skip, stem, sizeof stem);
    for (const row *r = layer < 0 ? naming[n].top : naming[n].rows; r->stem; r++) {
        if (strcmp(r->stem, stem) || variant-- > 0) continue;
        for (out->parts = 0; out->parts < 3 && r->names[out->parts]; out->parts++)
            snprintf(out->name[out->parts], sizeof out->name[0], "%s%s%s%s", prefix, front, r->names[out->parts], end);
        return true;
    }
    return false;
}

bool pf_naming_ignored(const char *name)
{
    static const char *const known[] = { "*mask_token", "*pooler.*", "*pre_logits.*", "*position_ids", "*num_batches_tracked" };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) if (pf_glob(known[i], name)) return true;
    return false;
}
