/* SPDX-License-Identifier: Apache-2.0
 * names.c -- what timm calls the tensors of other libraries, as a table a library, for reading and for writing. In a
 * row # is the number of a block and @ the word weight or bias; rows of a block stand behind the block's own front. */
#include <stdio.h>
#include <string.h>
#include "core/options/glob.h"
#include "core/vit/names.h"

const char *const pf_naming_name[PF_NAMINGS] = { "timm", "hf", "hf5", "hf-clip", "clip", "torchvision", "mmcls" };

/* part: 1, 2, 3 for q, k, v of a fused tensor, 1 and 2 for gate and value of a gated MLP's; and which networks alone are
 * written so. Of several rows for one tensor the first that fits is written, all are read. */
enum { PART = 3, PLAIN = 4, GATED = 8 };                               /* without LayerScale; with a gated MLP */
typedef struct { const char *theirs, *timm; int part; } row;

/* Facebook's DINOv2 and DeiT-III differ from timm in a few names. */
static const row timm_top[] = {
    { "cls_token", "cls_token", 0 }, { "pos_embed", "pos_embed", 0 },
    { "reg_token", "reg_token", 0 }, { "register_tokens", "reg_token", 0 },
    { "patch_embed.proj.@", "patch_embed.proj.@", 0 }, { "norm_pre.@", "norm_pre.@", 0 },
    { "norm.@", "norm.@", 0 }, { "fc_norm.@", "fc_norm.@", 0 }, { "head.@", "head.@", 0 }, { 0 } };
static const row timm_block[] = {
    { "norm1.@", "norm1.@", 0 }, { "norm2.@", "norm2.@", 0 },
    { "attn.qkv.@", "attn.qkv.@", 0 }, { "attn.proj.@", "attn.proj.@", 0 },
    { "mlp.fc1.@", "mlp.fc1.@", 0 }, { "mlp.fc2.@", "mlp.fc2.@", 0 },
    { "mlp.w12.@", "mlp.fc1.@", 0 }, { "mlp.w3.@", "mlp.fc2.@", 0 },
    { "mlp.fc1_g.@", "mlp.fc1.@", 1 }, { "mlp.fc1_x.@", "mlp.fc1.@", 2 },
    { "ls1.gamma", "ls1.gamma", 0 }, { "ls2.gamma", "ls2.gamma", 0 },
    { "gamma_1", "ls1.gamma", 0 }, { "gamma_2", "ls2.gamma", 0 }, { 0 } };

static const row hf_top[] = {
    { "embeddings.cls_token", "cls_token", 0 }, { "embeddings.register_tokens", "reg_token", 0 },
    { "embeddings.position_embeddings", "pos_embed", 0 },
    { "embeddings.patch_embeddings.projection.@", "patch_embed.proj.@", 0 }, { "layernorm.@", "norm.@", 0 },
    { "classifier.@", "head.@", 0 }, { 0 } };
#define HF_GATED { "mlp.weights_in.@", "mlp.fc1.@", GATED }, { "mlp.weights_out.@", "mlp.fc2.@", GATED }
/* ViT's norms, and DINOv2's, which has LayerScale. */
#define HF_BLOCK \
    { "layernorm_before.@", "norm1.@", PLAIN }, { "norm1.@", "norm1.@", 0 }, \
    { "layernorm_after.@", "norm2.@", PLAIN }, { "norm2.@", "norm2.@", 0 }, \
    { "mlp.fc1.@", "mlp.fc1.@", 0 }, { "mlp.fc2.@", "mlp.fc2.@", 0 }, \
    { "layer_scale1.lambda1", "ls1.gamma", 0 }, { "layer_scale2.lambda1", "ls2.gamma", 0 }
static const row hf_block[] = {
    HF_GATED, { "intermediate.dense.@", "mlp.fc1.@", PLAIN }, { "output.dense.@", "mlp.fc2.@", PLAIN }, HF_BLOCK,
    { "attention.attention.query.@", "attn.qkv.@", 1 }, { "attention.attention.key.@", "attn.qkv.@", 2 },
    { "attention.attention.value.@", "attn.qkv.@", 3 }, { "attention.output.dense.@", "attn.proj.@", 0 }, { 0 } };
static const row hf5_block[] = {
    HF_GATED, { "mlp.gate_proj.@", "mlp.fc1.@", 1 | GATED }, { "mlp.up_proj.@", "mlp.fc1.@", 2 | GATED },
    { "mlp.down_proj.@", "mlp.fc2.@", GATED }, HF_BLOCK,
    { "attention.q_proj.@", "attn.qkv.@", 1 }, { "attention.k_proj.@", "attn.qkv.@", 2 },
    { "attention.v_proj.@", "attn.qkv.@", 3 }, { "attention.o_proj.@", "attn.proj.@", 0 }, { 0 } };

/* pre_layrnorm is how the library spells it. */
static const row hf_clip_top[] = {
    { "embeddings.class_embedding", "cls_token", 0 }, { "embeddings.position_embedding.weight", "pos_embed", 0 },
    { "embeddings.patch_embedding.@", "patch_embed.proj.@", 0 },
    { "pre_layrnorm.@", "norm_pre.@", 0 }, { "post_layernorm.@", "norm.@", 0 }, { 0 } };
static const row hf_clip_block[] = {
    { "layer_norm1.@", "norm1.@", 0 }, { "layer_norm2.@", "norm2.@", 0 },
    { "self_attn.q_proj.@", "attn.qkv.@", 1 }, { "self_attn.k_proj.@", "attn.qkv.@", 2 },
    { "self_attn.v_proj.@", "attn.qkv.@", 3 }, { "self_attn.out_proj.@", "attn.proj.@", 0 },
    { "mlp.fc1.@", "mlp.fc1.@", 0 }, { "mlp.fc2.@", "mlp.fc2.@", 0 }, { 0 } };

static const row clip_top[] = {
    { "class_embedding", "cls_token", 0 }, { "positional_embedding", "pos_embed", 0 },
    { "conv1.@", "patch_embed.proj.@", 0 }, { "ln_pre.@", "norm_pre.@", 0 }, { "ln_post.@", "norm.@", 0 }, { 0 } };
static const row clip_block[] = {
    { "ln_1.@", "norm1.@", 0 }, { "ln_2.@", "norm2.@", 0 },
    { "attn.in_proj_@", "attn.qkv.@", 0 }, { "attn.out_proj.@", "attn.proj.@", 0 },
    { "mlp.c_fc.@", "mlp.fc1.@", 0 }, { "mlp.c_proj.@", "mlp.fc2.@", 0 },
    { "ls_1.gamma", "ls1.gamma", 0 }, { "ls_2.gamma", "ls2.gamma", 0 }, { 0 } };

static const row torchvision_top[] = {
    { "class_token", "cls_token", 0 }, { "encoder.pos_embedding", "pos_embed", 0 },
    { "conv_proj.@", "patch_embed.proj.@", 0 }, { "encoder.ln.@", "norm.@", 0 }, { 0 } };
static const row torchvision_block[] = {
    { "ln_1.@", "norm1.@", 0 }, { "ln_2.@", "norm2.@", 0 },
    { "self_attention.in_proj_@", "attn.qkv.@", 0 }, { "self_attention.out_proj.@", "attn.proj.@", 0 },
    { "mlp.0.@", "mlp.fc1.@", 0 }, { "mlp.3.@", "mlp.fc2.@", 0 },
    { "mlp.linear_1.@", "mlp.fc1.@", 0 }, { "mlp.linear_2.@", "mlp.fc2.@", 0 }, { 0 } };

static const row mmcls_top[] = {
    { "cls_token", "cls_token", 0 }, { "pos_embed", "pos_embed", 0 },
    { "patch_embed.projection.@", "patch_embed.proj.@", 0 }, { "ln1.@", "norm.@", 0 }, { 0 } };
static const row mmcls_block[] = {
    { "ln1.@", "norm1.@", 0 }, { "ln2.@", "norm2.@", 0 },
    { "attn.qkv.@", "attn.qkv.@", 0 }, { "attn.proj.@", "attn.proj.@", 0 },
    { "ffn.layers.0.0.@", "mlp.fc1.@", 0 }, { "ffn.layers.1.@", "mlp.fc2.@", 0 },
    { "attn.gamma1.weight", "ls1.gamma", 0 }, { "ffn.gamma2.weight", "ls2.gamma", 0 }, { 0 } };

/* front: of a block's names; DINOv2 is also trained with blocks in chunks, blocks.CHUNK.NUMBER. inner: what may stand
 * in front of the names outside the blocks alone. */
typedef struct { const char *front[2], *inner; const row *top, *block; } naming;
static const naming namings[PF_NAMINGS] = {
    [PF_NAMING_TIMM] = { { "blocks.#.", "blocks.#.#." }, "", timm_top, timm_block },
    [PF_NAMING_HF] = { { "encoder.layer.#.", NULL }, "vit.", hf_top, hf_block },
    [PF_NAMING_HF5] = { { "layers.#.", "encoder.layer.#." }, "vit.", hf_top, hf5_block },
    [PF_NAMING_HF_CLIP] = { { "encoder.layers.#.", NULL }, "", hf_clip_top, hf_clip_block },
    [PF_NAMING_CLIP] = { { "transformer.resblocks.#.", NULL }, "", clip_top, clip_block },
    [PF_NAMING_TORCHVISION] = { { "encoder.layers.encoder_layer_#.", NULL }, "", torchvision_top, torchvision_block },
    [PF_NAMING_MMCLS] = { { "layers.#.", NULL }, "", mmcls_top, mmcls_block } };

/* The classifier, in front of which may stand the whole prefix or a part of it. */
static const row classifiers[] = {
    { "head.@", "head.@", 0 }, { "classifier.@", "head.@", 0 }, { "heads.head.@", "head.@", 0 },
    { "head.fc.@", "head.@", 0 }, { "head.layers.head.@", "head.@", 0 }, { 0 } };

/* Parts of such files that features do not depend on: heads and decoders of pretraining, the partner in training, the
 * tower of the texts. A pattern stands for a name from behind the ViT's prefix on or, outside of it, from any part on;
 * nothing inside a block is left out. */
static const char *const ignored[] = {
    "mask_token", "embeddings.mask_token", "pooler.*", "pre_logits.*", "embeddings.position_ids", "decoder_*",
    "decoder.*", "head.mlp.*", "head.last_layer.*", "head.?.*", "head.proj.*", "proj", "student.*", "teacher.*",
    "momentum_encoder.*", "predictor.*", "dino_loss.*", "text_model.*", "text.*", "text_projection*",
    "visual_projection.*", "logit_scale", "logit_bias", "token_embedding.*", "positional_embedding", "ln_final.*",
    "transformer.resblocks.*", "input_resolution", "context_length", "vocab_size" };
#define COUNT(a) (sizeof(a) / sizeof *(a))

typedef struct { int64_t layer; const char *word; size_t length; } holes;

/* Follows pattern along name and notes what stands at # (the last one) and @. Returns the rest; NULL: no match. */
static const char *follow(const char *pattern, const char *name, holes *h)
{
    for (; *pattern; pattern++) {
        if (*pattern == '#') {
            if (*name < '0' || *name > '9' || (*name == '0' && name[1] >= '0' && name[1] <= '9')) return NULL;
            for (h->layer = 0; *name >= '0' && *name <= '9' && h->layer < 1000; name++)
                h->layer = 10 * h->layer + *name - '0';
        } else if (*pattern == '@') {
            h->word = name;
            h->length = !strncmp(name, "weight", 6) ? 6 : !strncmp(name, "bias", 4) ? 4 : 0;
            if (!h->length) return NULL;
            name += h->length;
        } else if (*pattern != *name++) return NULL;
    }
    return name;
}

/* front and pattern with their holes filled. */
static void compose(char out[PF_NAME_MAX], const char *front, const char *pattern, const holes *h)
{
    char both[2 * PF_NAME_MAX];
    size_t n = 0;
    snprintf(both, sizeof both, "%s%s", front, pattern);
    for (const char *p = both; *p && n < PF_NAME_MAX; p++) {
        if (*p == '#') n += (size_t)snprintf(out + n, PF_NAME_MAX - n, "%lld", (long long)h->layer);
        else if (*p == '@') n += (size_t)snprintf(out + n, PF_NAME_MAX - n, "%.*s", (int)h->length, h->word);
        else out[n++] = *p;
    }
    out[n < PF_NAME_MAX ? n : PF_NAME_MAX - 1] = 0;
}

#define TIMM_FRONT "blocks.#."

/* The row for all of name; front is what timm puts in front. */
static bool look_up(const row *rows, const char *name, const char *front, holes h, pf_timm_name *out)
{
    for (const row *r = rows; r->theirs; r++) {
        const char *rest = follow(r->theirs, name, &h);
        if (!rest || *rest) continue;
        compose(out->name, front, r->timm, &h);
        out->part = r->part & PART;
        out->kind = PF_NAME_OURS;
        return true;
    }
    return false;
}

static bool inside(const naming *n, const char *name, pf_timm_name *out)
{
    holes h = { 0, "", 0 };
    for (int i = 0; i < 2 && n->front[i]; i++) {
        const char *rest = follow(n->front[i], name, &h);
        if (rest && look_up(n->block, rest, TIMM_FRONT, h, out)) return true;
    }
    return look_up(n->top, name, "", h, out);
}

static bool classifier(const char *prefix, const char *name, pf_timm_name *out)
{
    const holes h = { 0, "", 0 };
    for (size_t cut = 0;; cut++) {
        if ((!cut || prefix[cut - 1] == '.') && look_up(classifiers, name + cut, "", h, out)) return true;
        if (!prefix[cut] || prefix[cut] != name[cut]) return false;
    }
}

bool pf_naming_theirs(pf_naming which, const pf_vit_shape *s, const char *timm, int part, char out[PF_NAME_MAX])
{
    const int unfit = (s->layer_scale ? PLAIN : 0) | (s->swiglu ? 0 : GATED);
    const naming *n = &namings[which];
    const char *front = n->front[which == PF_NAMING_HF5 && s->layer_scale];      /* DINOv2 of transformers 5 */
    holes h = { 0, "", 0 };
    const char *inner = follow(TIMM_FRONT, timm, &h), *name = inner ? inner : timm;
    for (const row *r = inner ? n->block : n->top; r->theirs; r++) {
        const char *rest = (r->part & PART) == part && !(r->part & unfit) ? follow(r->timm, name, &h) : NULL;
        if (!rest || *rest) continue;
        compose(out, inner ? front : "", r->theirs, &h);
        return true;
    }
    return false;
}

static bool any_of(const char *const *globs, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) if (pf_glob(globs[i], name)) return true;
    return false;
}

static bool in_block(const naming *n, const char *name)
{
    holes h;
    for (int i = 0; i < 2 && n->front[i]; i++) if (follow(n->front[i], name, &h)) return true;
    return false;
}

static bool left_out(const naming *n, bool within, const char *name)
{
    if (within && in_block(n, name)) return false;
    if (any_of(ignored, COUNT(ignored), name)) return true;
    for (; !within && *name; name++) if (*name == '.' && any_of(ignored, COUNT(ignored), name + 1)) return true;
    return false;
}

pf_timm_name pf_naming_translate(pf_naming which, const char *prefix, const char *name)
{
    pf_timm_name out = { .kind = PF_NAME_UNKNOWN };
    const naming *n = &namings[which];
    const size_t front = strlen(prefix), inner = strlen(n->inner);
    const bool within = !strncmp(name, prefix, front);
    const char *rest = within ? name + front : name;
    if (within && inside(n, rest, &out)) return out;
    if (within && inner && !strncmp(rest, n->inner, inner) && look_up(n->top, rest + inner, "", (holes){ 0 }, &out))
        return out;
    if (classifier(prefix, name, &out)) return out;
    if (left_out(n, within, rest)) out.kind = PF_NAME_IGNORED;
    return out;
}

int pf_name_parts(const char *timm) { return strstr(timm, ".attn.qkv.") ? 3 : 2; }

bool pf_name_is(const char *pattern, const char *name)
{
    holes h;
    const char *rest = follow(pattern, name, &h);
    return rest && !*rest;
}
