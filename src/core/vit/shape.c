/* SPDX-License-Identifier: Apache-2.0
 * shape.c -- the table of a ViT's tensors. Each extent is a letter or 1; "1ND" is [1, rows of pos_embed, width]:
 * D width, T 3*width, H width of a head, h half of it, A heads, L depth, t 2, F mlp, G rows of fc1 (2*mlp if the MLP
 * is gated), C classes, R registers, N rows of pos_embed, p side of a patch, c the 3 channels, W columns of the
 * feature. Of attention pooling: a columns of a query, b 2*a, q queries, m mlp. */
#include "core/vit/shape.h"
#include <stdio.h>
#include <string.h>

/* The condition under which a network has a tensor. */
typedef enum {
    ALWAYS, CLASS_TOKEN, REGISTERS, POS_EMBED, ROPE_MIXED, PATCH_BIAS, NORM_PRE, QKV_BIAS, QK_NORM, ATTN_NORM,
    PROJ_BIAS, LAYER_SCALE, MLP_NORM, NORM, FC_NORM, ATTN_POOL, POOL_BIAS, POOL_NORMS, POOL_MLP, HEAD
} condition;
typedef struct { const char *name, *dims; condition when; } row;

static const row front[] = {
    { "cls_token", "11D", CLASS_TOKEN }, { "reg_token", "1RD", REGISTERS }, { "pos_embed", "1ND", POS_EMBED },
    { "rope.freqs", "tLAh", ROPE_MIXED },
    { "patch_embed.proj.weight", "Dcpp", ALWAYS }, { "patch_embed.proj.bias", "D", PATCH_BIAS },
    { "norm_pre.weight", "D", NORM_PRE }, { "norm_pre.bias", "D", NORM_PRE } };
static const row block[] = {
    { "norm1.weight", "D", ALWAYS }, { "norm1.bias", "D", ALWAYS },
    { "attn.qkv.weight", "TD", ALWAYS }, { "attn.qkv.bias", "T", QKV_BIAS },
    { "attn.q_norm.weight", "H", QK_NORM }, { "attn.q_norm.bias", "H", QK_NORM },
    { "attn.k_norm.weight", "H", QK_NORM }, { "attn.k_norm.bias", "H", QK_NORM },
    { "attn.norm.weight", "D", ATTN_NORM }, { "attn.norm.bias", "D", ATTN_NORM },
    { "attn.proj.weight", "DD", ALWAYS }, { "attn.proj.bias", "D", PROJ_BIAS }, { "ls1.gamma", "D", LAYER_SCALE },
    { "norm2.weight", "D", ALWAYS }, { "norm2.bias", "D", ALWAYS },
    { "mlp.fc1.weight", "GD", ALWAYS }, { "mlp.fc1.bias", "G", PROJ_BIAS },
    { "mlp.norm.weight", "F", MLP_NORM }, { "mlp.norm.bias", "F", MLP_NORM },
    { "mlp.fc2.weight", "DF", ALWAYS }, { "mlp.fc2.bias", "D", PROJ_BIAS }, { "ls2.gamma", "D", LAYER_SCALE } };
static const row back[] = {
    { "norm.weight", "D", NORM }, { "norm.bias", "D", NORM },
    { "attn_pool.latent", "1qa", ATTN_POOL },
    { "attn_pool.ln_q.weight", "a", POOL_NORMS }, { "attn_pool.ln_q.bias", "a", POOL_NORMS },
    { "attn_pool.ln_k.weight", "D", POOL_NORMS }, { "attn_pool.ln_k.bias", "D", POOL_NORMS },
    { "attn_pool.q.weight", "aa", ATTN_POOL }, { "attn_pool.q.bias", "a", POOL_BIAS },
    { "attn_pool.kv.weight", "bD", ATTN_POOL }, { "attn_pool.kv.bias", "b", POOL_BIAS },
    { "attn_pool.proj.weight", "aa", ATTN_POOL }, { "attn_pool.proj.bias", "a", ATTN_POOL },
    { "attn_pool.norm.weight", "a", POOL_MLP }, { "attn_pool.norm.bias", "a", POOL_MLP },
    { "attn_pool.mlp.fc1.weight", "ma", POOL_MLP }, { "attn_pool.mlp.fc1.bias", "m", POOL_MLP },
    { "attn_pool.mlp.fc2.weight", "am", POOL_MLP }, { "attn_pool.mlp.fc2.bias", "a", POOL_MLP },
    { "fc_norm.weight", "W", FC_NORM }, { "fc_norm.bias", "W", FC_NORM },
    { "head.weight", "CW", HEAD }, { "head.bias", "C", HEAD } };
#define COUNT(a) (sizeof(a) / sizeof *(a))

/* Does a network of this shape meet the condition? */
static bool present(const pf_vit_shape *s, condition when)
{
    switch (when) {
    case CLASS_TOKEN: return s->class_token;
    case REGISTERS:   return s->registers > 0;
    case POS_EMBED:   return s->pos_embed;
    case ROPE_MIXED:  return s->rope.kind == PF_ROPE_MIXED;
    case PATCH_BIAS:  return s->patch_bias;
    case NORM_PRE:    return s->norm_pre;
    case QKV_BIAS:    return s->qkv_bias;
    case QK_NORM:     return s->qk_norm;
    case ATTN_NORM:   return s->attn_norm;
    case PROJ_BIAS:   return s->proj_bias;
    case LAYER_SCALE: return s->layer_scale;
    case MLP_NORM:    return s->mlp_norm;
    case NORM:        return s->norm;
    case FC_NORM:     return s->fc_norm;
    case ATTN_POOL:   return s->attn_pool.width > 0;
    case POOL_BIAS:   return s->attn_pool.width > 0 && s->attn_pool.bias;
    case POOL_NORMS:  return s->attn_pool.width > 0 && s->attn_pool.norms;
    case POOL_MLP:    return s->attn_pool.width > 0 && s->attn_pool.mlp > 0;
    case HEAD:        return s->classes > 0;
    default:          return true;
    }
}

/* The extent that the letter stands for (top of the file). */
static int64_t extent(const pf_vit_shape *s, char c)
{
    switch (c) {
    case 'D': return s->width;
    case 'T': return 3 * s->width;
    case 'H': return s->width / s->heads;
    case 'h': return s->width / s->heads / 2;
    case 'A': return s->heads;
    case 'L': return s->depth;
    case 't': return 2;
    case 'F': return s->mlp;
    case 'G': return s->gate ? 2 * s->mlp : s->mlp;
    case 'C': return s->classes;
    case 'W': return pf_vit_feature_width(s, s->pool);
    case 'a': return s->attn_pool.width;
    case 'b': return 2 * s->attn_pool.width;
    case 'q': return s->attn_pool.queries;
    case 'm': return s->attn_pool.mlp;
    case 'R': return s->registers;
    case 'N': return s->pos_prefix + pf_vit_patches(s);
    case 'p': return s->patch;
    case 'c': return 3;
    default:  return 1;
    }
}

/* Writes name and extents of the tensor. layer: the number of the block; -1: outside the blocks. */
static void fill(const pf_vit_shape *s, const row *r, int64_t layer, pf_tensor_spec *out)
{
    if (layer >= 0) snprintf(out->name, sizeof out->name, "blocks.%lld.%s", (long long)layer, r->name);
    else snprintf(out->name, sizeof out->name, "%s", r->name);
    for (out->ndim = 0; r->dims[out->ndim]; out->ndim++) out->dim[out->ndim] = extent(s, r->dims[out->ndim]);
}

/* Goes through front (as layer -1), the blocks (0 to depth - 1) and back (-1), and counts i down at each tensor. */
bool pf_vit_tensor(const pf_vit_shape *s, size_t i, pf_tensor_spec *out)
{
    const struct { const row *rows; size_t n; bool blocks; } parts[] = {
        { front, COUNT(front), false }, { block, COUNT(block), true }, { back, COUNT(back), false } };
    for (size_t p = 0; p < COUNT(parts); p++)
        for (int64_t layer = parts[p].blocks ? 0 : -1; layer < (parts[p].blocks ? s->depth : 0); layer++)
            for (size_t k = 0; k < parts[p].n; k++)
                if (present(s, parts[p].rows[k].when) && i-- == 0) {
                    fill(s, &parts[p].rows[k], layer, out);
                    return true;
                }
    return false;
}

static const char *const features[] = {
    [PF_FEATURE_CLS] = "cls", [PF_FEATURE_MEAN] = "mean", [PF_FEATURE_CLS_MEAN] = "cls_mean",
    [PF_FEATURE_CLS_DIST] = "cls_dist", [PF_FEATURE_ATTENTION] = "attention" };

int pf_feature_named(const char *name)
{
    for (size_t i = 0; i < COUNT(features); i++) if (!strcmp(features[i], name)) return (int)i;
    return -1;
}

const char *pf_feature_name(pf_feature pool) { return features[pool]; }

pf_vit_shape pf_vit_with_pool(const pf_vit_shape *s, pf_feature pool)
{
    pf_vit_shape r = *s;
    if (pool == s->pool) return r;
    /* the fc_norm of attention pooling belongs to its result, which is left out */
    const bool attention = s->pool == PF_FEATURE_ATTENTION, has_norm = s->norm || (s->fc_norm && !attention);
    r.pool = pool;
    if (attention || !s->norm || !s->fc_norm) {           /* a network with both keeps them */
        r.fc_norm = has_norm && s->pool == PF_FEATURE_CLS && pool == PF_FEATURE_MEAN;
        r.norm = has_norm && !r.fc_norm;
    }
    r.attn_pool = (pf_attn_pool){ 0 };
    if (attention) r.pool_all = false;                    /* it was stated for attention pooling, not for a mean */
    return r;
}

static const struct { const char *name; int act; } activations[] = {
    { "gelu", PK_GELU }, { "gelu_tanh", PK_GELU_TANH }, { "quickgelu", PK_QUICKGELU }, { "silu", PK_SILU },
    { "relu", PK_RELU }, { "tanh", PK_TANH }, { "sigmoid", PK_SIGMOID } };

int pf_act_named(const char *name)
{
    for (size_t i = 0; i < COUNT(activations); i++) if (!strcmp(activations[i].name, name)) return activations[i].act;
    return -1;
}

const char *pf_act_name(int act)
{
    for (size_t i = 0; i < COUNT(activations); i++) if (activations[i].act == act) return activations[i].name;
    return NULL;
}

static const char *const rope_names[] = { "none", "axial", "dinov3", "mixed" };     /* by pf_rope_kind */

int pf_rope_named(const char *name)
{
    for (int i = 0; i < (int)COUNT(rope_names); i++) if (!strcmp(rope_names[i], name)) return i;
    return -1;
}

const char *pf_rope_name(pf_rope_kind kind) { return rope_names[kind]; }

size_t pf_vit_tensor_count(const pf_vit_shape *s)
{
    size_t n = 0;
    pf_tensor_spec t;
    while (pf_vit_tensor(s, n, &t)) n++;
    return n;
}
