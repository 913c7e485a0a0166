/* SPDX-License-Identifier: Apache-2.0
 * formats.h -- the naming conventions of the libraries whose files can be loaded, as tables, and a writer of such
 * files. */
#ifndef FORMATS_H
#define FORMATS_H
#include <math.h>
#include "tiny.h"

/* How a file differs from timm's, as bits. LIKE_TIMM: not. NO_PATCH_BIAS: the patch embedding has no bias.
 * NO_CLASS_ROW: the position embedding has no row for the class token. FLAT_TOKENS: class token and positions have no
 * leading extents of 1. */
enum { LIKE_TIMM = 0, NO_PATCH_BIAS = 1, NO_CLASS_ROW = 2, FLAT_TOKENS = 4 };
/* The names of a timm tensor, without .weight or .bias: one, or three where q, k and v are separate tensors. To a name
 * that ends in _ the word is appended without a dot: in_proj_ becomes in_proj_weight. */
typedef struct { const char *timm, *names[3]; } stem;
/* A naming convention. */
typedef struct {
    const char *name;                    /* in messages */
    const char *prefix;                  /* in front of all names but the classifier's */
    const char *block;                   /* prefix of the names of layer %d, after `prefix` */
    const char *head;                    /* of the classifier's tensors */
    const char *create, *load;           /* options of a backbone with this naming, and options to load its file */
    const stem *stems;                   /* names that differ from timm's */
    const char *const *extra;            /* tensors that the file has beside the backbone */
    unsigned flags;
} format;

static const stem facebook[] = { { "mlp.fc1", { "mlp.w12" } }, { "mlp.fc2", { "mlp.w3" } }, { NULL, { NULL } } };
static const stem deit3[] = { { "ls1.gamma", { "gamma_1" } }, { "ls2.gamma", { "gamma_2" } }, { NULL, { NULL } } };
#define HF_TOP { "cls_token", { "embeddings.cls_token" } }, { "pos_embed", { "embeddings.position_embeddings" } }, \
    { "patch_embed.proj", { "embeddings.patch_embeddings.projection" } }, { "norm", { "layernorm" } }
#define HF_ATTENTION { "attn.proj", { "attention.output.dense" } }, \
    { "attn.qkv", { "attention.attention.query", "attention.attention.key", "attention.attention.value" } }
static const stem hf[] = { HF_TOP,
                           HF_ATTENTION,
                           { "norm1", { "layernorm_before" } },
                           { "norm2", { "layernorm_after" } },
                           { "mlp.fc1", { "intermediate.dense" } },
                           { "mlp.fc2", { "output.dense" } },
                           { NULL, { NULL } } };
static const stem hf_dino[] = { HF_TOP,
                                HF_ATTENTION,
                                { "ls1.gamma", { "layer_scale1.lambda1" } },
                                { "ls2.gamma", { "layer_scale2.lambda1" } },
                                { "mlp.fc1", { "mlp.weights_in" } },
                                { "mlp.fc2", { "mlp.weights_out" } },
                                { "reg_token", { "embeddings.register_tokens" } },
                                { NULL, { NULL } } };
static const stem hf5[] = { HF_TOP,
                            { "norm1", { "layernorm_before" } },
                            { "norm2", { "layernorm_after" } },
                            { "attn.proj", { "attention.o_proj" } },
                            { "attn.qkv", { "attention.q_proj", "attention.k_proj", "attention.v_proj" } },
                            { NULL, { NULL } } };
static const stem hf_clip[] = { { "cls_token", { "embeddings.class_embedding" } },
                                { "pos_embed", { "embeddings.position_embedding.weight" } },
                                { "patch_embed.proj", { "embeddings.patch_embedding" } },
                                { "norm_pre", { "pre_layrnorm" } },
                                { "norm", { "post_layernorm" } },
                                { "norm1", { "layer_norm1" } },
                                { "norm2", { "layer_norm2" } },
                                { "attn.proj", { "self_attn.out_proj" } },
                                { "attn.qkv", { "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj" } },
                                { NULL, { NULL } } };
#define HF_POOL { "attn_pool.latent", { "head.probe" } }, { "attn_pool.qkv", { "head.attention.in_proj_" } }, \
    { "attn_pool.proj", { "head.attention.out_proj" } }, { "attn_pool.norm", { "head.layernorm" } }, \
    { "attn_pool.mlp.fc1", { "head.mlp.fc1" } }, { "attn_pool.mlp.fc2", { "head.mlp.fc2" } }
static const stem hf_siglip[] = { { "pos_embed", { "embeddings.position_embedding.weight" } },
                                  { "patch_embed.proj", { "embeddings.patch_embedding" } },
                                  { "norm", { "post_layernorm" } },
                                  { "norm1", { "layer_norm1" } },
                                  { "norm2", { "layer_norm2" } },
                                  { "attn.proj", { "self_attn.out_proj" } },
                                  { "attn.qkv", { "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj" } },
                                  HF_POOL,
                                  { NULL, { NULL } } };
#define HF_DINOV3 { "cls_token", { "embeddings.cls_token" } }, { "reg_token", { "embeddings.register_tokens" } }, \
    { "patch_embed.proj", { "embeddings.patch_embeddings" } }, \
    { "attn.qkv", { "attention.q_proj", "attention.k_proj", "attention.v_proj" } }, \
    { "attn.proj", { "attention.o_proj" } }, { "ls1.gamma", { "layer_scale1.lambda1" } }, \
    { "ls2.gamma", { "layer_scale2.lambda1" } }, { "mlp.fc2", { "mlp.down_proj" } }
static const stem hf_dinov3[] = { HF_DINOV3, { "mlp.fc1", { "mlp.up_proj" } }, { NULL, { NULL } } };
static const stem hf_dinov3_gated[] = { HF_DINOV3,
                                        { "mlp.fc1", { "mlp.gate_proj", "mlp.up_proj" } },
                                        { NULL, { NULL } } };
static const stem dinov3[] = { { "reg_token", { "storage_tokens" } },
                               { "mlp.fc1", { "mlp.w1", "mlp.w2" } },
                               { "mlp.fc2", { "mlp.w3" } },
                               { NULL, { NULL } } };
static const stem conch[] = { { "attn_pool.latent", { "attn_pool_contrast.query" } },
                              { "attn_pool.q", { "attn_pool_contrast.attn.q_proj_" } },
                              { "attn_pool.kv", { "attn_pool_contrast.attn.k_proj_",
                                                  "attn_pool_contrast.attn.v_proj_" } },
                              { "attn_pool.proj", { "attn_pool_contrast.attn.out_proj" } },
                              { NULL, { NULL } } };
static const stem deit[] = { { "reg_token", { "dist_token" } }, { NULL, { NULL } } };
static const stem hf_deit[] = { HF_TOP,
                                HF_ATTENTION,
                                { "norm1", { "layernorm_before" } },
                                { "norm2", { "layernorm_after" } },
                                { "mlp.fc1", { "intermediate.dense" } },
                                { "mlp.fc2", { "output.dense" } },
                                { "reg_token", { "embeddings.distillation_token" } },
                                { NULL, { NULL } } };
static const stem clip[] = { { "cls_token", { "class_embedding" } },
                             { "pos_embed", { "positional_embedding" } },
                             { "patch_embed.proj", { "conv1" } },
                             { "norm_pre", { "ln_pre" } },
                             { "norm", { "ln_post" } },
                             { "norm1", { "ln_1" } },
                             { "norm2", { "ln_2" } },
                             { "attn.qkv", { "attn.in_proj_" } },
                             { "attn.proj", { "attn.out_proj" } },
                             { "mlp.fc1", { "mlp.c_fc" } },
                             { "mlp.fc2", { "mlp.c_proj" } },
                             { NULL, { NULL } } };
#define TORCHVISION { "cls_token", { "class_token" } }, { "pos_embed", { "encoder.pos_embedding" } }, \
    { "patch_embed.proj", { "conv_proj" } }, { "norm", { "encoder.ln" } }, { "norm1", { "ln_1" } }, \
    { "norm2", { "ln_2" } }, { "attn.proj", { "self_attention.out_proj" } }, \
    { "attn.qkv", { "self_attention.in_proj_" } }
static const stem torchvision[] = {
    TORCHVISION, { "mlp.fc1", { "mlp.0" } }, { "mlp.fc2", { "mlp.3" } }, { NULL, { NULL } }
};
static const stem torchvision_old[] = {
    TORCHVISION, { "mlp.fc1", { "mlp.linear_1" } }, { "mlp.fc2", { "mlp.linear_2" } }, { NULL, { NULL } }
};
static const stem mmcls[] = { { "patch_embed.proj", { "patch_embed.projection" } },
                              { "norm", { "ln1" } },
                              { "norm1", { "ln1" } },
                              { "norm2", { "ln2" } },
                              { "mlp.fc1", { "ffn.layers.0.0" } },
                              { "mlp.fc2", { "ffn.layers.1" } },
                              { "ls1.gamma", { "attn.gamma1.weight" } },
                              { "ls2.gamma", { "ffn.gamma2.weight" } },
                              { NULL, { NULL } } };

#define LIST(...) (const char *const[]){ __VA_ARGS__, NULL }
#define TEXT_TOWER "transformer.resblocks.0.attn.in_proj_weight", "transformer.resblocks.0.ln_1.weight", \
    "token_embedding.weight", "positional_embedding", "ln_final.weight", "text_projection", "logit_scale", "visual.proj"
/* VIT: 11 blocks, so that the names of blocks 1 and 10 begin alike. */
#define VIT "image_size=8,patch=4,width=16,depth=11,heads=2,mlp=24,classes=5"
#define NO_HEAD "image_size=8,patch=4,width=16,depth=2,heads=2,mlp=24"
static const format formats[] = {
    { "timm", "", "blocks.%d.", "head", VIT, "", NULL, NULL, 0 },
    { "timm wrapped", "module.model.", "blocks.%d.", "module.model.head", VIT, "", NULL, NULL, 0 },
    { "timm in open_clip", "visual.trunk.", "blocks.%d.", "head", NO_HEAD, "", NULL,
      LIST("text.ln_final.weight", "logit_scale"), 0 },
    { "SwiGLU", "", "blocks.%d.", "head", VIT ",swiglu=true", "", NULL, NULL, 0 },
    { "DINOv2", "", "blocks.%d.", "head", VIT ",swiglu=true,layer_scale=true", "", facebook, LIST("mask_token"), 0 },
    { "DINOv2 in chunks", "teacher.backbone.", "blocks.0.%d.", "head", NO_HEAD, "", facebook, LIST("dino_loss.center"),
      0 },
    { "DeiT-III", "model.", "blocks.%d.", "model.head", VIT ",layer_scale=true", "", deit3, NULL, NO_CLASS_ROW },
    { "MAE", "model.", "blocks.%d.", "head", NO_HEAD, "", NULL,
      LIST("model.decoder_embed.weight", "model.decoder_blocks.0.norm1.weight", "model.mask_token",
           "model.decoder_pred.bias"),
      0 },
    { "DINO", "teacher.backbone.", "blocks.%d.", "head", NO_HEAD, "", NULL,
      LIST("student.module.backbone.blocks.0.attn.qkv.weight", "student.module.backbone.patch_embed.proj.weight",
           "student.module.head.mlp.0.weight", "teacher.head.mlp.0.weight", "teacher.head.last_layer.weight_v"),
      0 },
    { "MoCo v3", "module.base_encoder.", "blocks.%d.", "head", NO_HEAD, "", NULL,
      LIST("module.base_encoder.head.0.weight", "module.base_encoder.head.1.num_batches_tracked",
           "module.predictor.0.weight", "module.momentum_encoder.blocks.0.attn.qkv.weight",
           "module.momentum_encoder.patch_embed.proj.weight"),
      0 },
    { "HF ViT", "vit.", "encoder.layer.%d.", "classifier", VIT, "eps=1e-6", hf, LIST("vit.pooler.dense.weight"), 0 },
    { "HF DINOv2", "dinov2.", "encoder.layer.%d.", "classifier", VIT ",layer_scale=true,swiglu=true", "", hf_dino,
      LIST("dinov2.embeddings.mask_token"), 0 },
    { "HF 5", "vit.", "layers.%d.", "classifier", VIT, "eps=1e-6", hf5, NULL, 0 },
    { "CLIP", "visual.", "transformer.resblocks.%d.", "head", NO_HEAD ",norm_pre=true,act=quickgelu,eps=1e-5", "", clip,
      LIST(TEXT_TOWER), NO_PATCH_BIAS | FLAT_TOKENS },
    { "HF CLIP", "vision_model.", "encoder.layers.%d.", "classifier", NO_HEAD ",norm_pre=true,act=quickgelu,eps=1e-5",
      "",
      hf_clip,
      LIST("vision_model.embeddings.position_ids", "text_model.encoder.layers.0.self_attn.q_proj.weight",
           "text_projection.weight", "visual_projection.weight", "logit_scale"),
      NO_PATCH_BIAS | FLAT_TOKENS },
    { "torchvision", "", "encoder.layers.encoder_layer_%d.", "heads.head", VIT, "", torchvision, NULL, 0 },
    { "torchvision, old names", "", "encoder.layers.encoder_layer_%d.", "heads.head", VIT, "", torchvision_old, NULL,
      0 },
    { "mmcls", "backbone.", "layers.%d.", "head.fc", VIT, "", mmcls, NULL, 0 },
    { "mmpretrain", "state_dict.backbone.", "layers.%d.", "state_dict.head.layers.head", VIT ",layer_scale=true", "",
      mmcls, NULL, 0 }
};
enum { FORMATS = sizeof formats / sizeof *formats };

/* Writes the names that a format gives to a timm tensor to `out`; returns their number. */
static inline int rename_tensor(const format *f, const char *timm, char out[3][160])
{
    char front[96] = "", base[64];
    int layer, block_length = 0;
    bool classifier = !strncmp(timm, "head.", 5);
    if (sscanf(timm, "blocks.%d.%n", &layer, &block_length) == 1) snprintf(front, sizeof front, f->block, layer);
    snprintf(base, sizeof base, "%s", timm + block_length);
    char *dot = strrchr(base, '.'), *word = dot && (!strcmp(dot, ".weight") || !strcmp(dot, ".bias")) ? dot + 1 : NULL;
    if (word) *dot = 0;
    /* s: the first row for this tensor; norm1 is one only inside a block */
    const stem *s = f->stems;
    while (s && s->timm && (strcmp(s->timm, base) || (!block_length && !strcmp(base, "norm1")))) s++;
    int parts = 0;
    do {
        const char *name = classifier ? f->head : s && s->timm ? s->names[parts] : base;
        snprintf(out[parts++], sizeof out[0], "%s%s%s%s%s", classifier ? "" : f->prefix, front, name,
                 !word || name[strlen(name) - 1] == '_' ? "" : ".", word ? word : "");
    } while (s && s->timm && parts < 3 && s->names[parts]);
    return parts;
}

/* The rows of attn_pool.q and attn_pool.kv, weights or biases, as one tensor in memory of the caller's. */
static inline peft_tensor join_pool(const peft_backbone *b, const peft_tensor *q, const char *word)
{
    char name[64];
    snprintf(name, sizeof name, "attn_pool.kv.%s", word);
    const peft_tensor *kv = pf_backbone_find(b, name);
    peft_tensor t = *q;
    t.dim[0] *= 3;
    t.data = malloc(pf_tensor_bytes(&t));
    memcpy(t.data, q->data, pf_tensor_bytes(q));
    memcpy((char *)t.data + pf_tensor_bytes(q), kv->data, pf_tensor_bytes(kv));
    return t;
}

/* Has the format a name for this timm tensor? */
static inline bool has_stem(const format *f, const char *timm)
{
    for (const stem *s = f->stems; s && s->timm; s++) if (!strcmp(s->timm, timm)) return true;
    return false;
}

/* Writes b to a file of format f. flags: those of f or others; without: timm's name of a tensor that is left out, or
 * NULL. */
static inline void write_format_without(const peft_backbone *b, const format *f, unsigned flags, const char *without,
                                        const char *path)
{
    static const pk_real nothing[2];
    void *memory[2];                               /* of joined tensors, until they are written */
    int memories = 0;
    pf_st_out *o;
    OK(pf_st_out_create(b->ctx, &o));
    for (size_t i = 0; i < b->weights; i++) {
        char names[3][160];
        peft_tensor t = b->weight[i].tensor;
        const char *name = b->weight[i].name;
        bool token = !strcmp(name, "cls_token") || !strcmp(name, "pos_embed");
        if ((flags & NO_PATCH_BIAS && !strcmp(name, "patch_embed.proj.bias")) || (without && !strcmp(name, without)))
            continue;
        if (flags & NO_CLASS_ROW && !strcmp(name, "pos_embed")) {
            t.dim[1]--;
            t.data = (pk_real *)t.data + t.dim[2];
        }
        const bool joins = has_stem(f, "attn_pool.qkv"), q = joins && !strncmp(name, "attn_pool.q.", 12);
        char joined[64] = "";
        if (joins && !strncmp(name, "attn_pool.kv.", 13)) continue;
        if (q) {
            snprintf(joined, sizeof joined, "attn_pool.qkv.%s", name + 12);
            t = join_pool(b, &t, name + 12);
            memory[memories++] = t.data;
            name = joined;
        }
        const int64_t *dim = t.dim;                /* FLAT_TOKENS: without the leading extents of 1 */
        for (; flags & FLAT_TOKENS && token && t.ndim > 1 && *dim == 1; dim++) t.ndim--;
        int parts = rename_tensor(f, name, names);
        int64_t part_dim[4] = { dim[0] / parts, dim[1], dim[2], dim[3] };
        for (int p = 0; p < parts; p++)
            OK(pf_st_out_tensor(o, names[p], t.type, t.ndim, part_dim,
                                (pk_real *)t.data + p * (peft_tensor_count(&t) / parts)));
    }
    for (const char *const *e = f->extra; e && *e; e++)
        OK(pf_st_out_tensor(o, *e, PF_REAL, 1, (int64_t[]){ 2 }, nothing));
    OK(pf_st_out_write(o, path));
    pf_st_out_free(o);
    while (memories) free(memory[--memories]);
}

static inline void write_format(const peft_backbone *b, const format *f, unsigned flags, const char *path)
{
    write_format_without(b, f, flags, NULL, path);
}

/* A backbone with noise in all weights, also in those that are 0 or 1 in a new one. create: its options. */
static inline peft_backbone *random_backbone(peft_context *ctx, const char *create)
{
    peft_backbone *b = tiny_backbone(ctx, create, NULL);
    for (size_t i = 0; i < b->weights; i++) tiny_perturb_tensor(&b->weight[i].tensor, b->weight[i].name, 0.3);
    OK(pf_backbone_make_rope(b));
    return b;
}

/* Loads a file; its tensors do not give the number of heads. */
static inline peft_status try_load(peft_context *ctx, const char *path, const char *options, peft_backbone **out)
{
    peft_options *o = tiny_options(ctx, "heads=2%s%s", *options ? "," : "", options);
    peft_status s = peft_backbone_load(ctx, path, o, out);
    peft_options_free(o);
    return s;
}

static inline peft_backbone *load(peft_context *ctx, const char *path, const char *options)
{
    peft_backbone *b;
    OK(try_load(ctx, path, options, &b));
    return b;
}

/* The logits of two images, five classes each. */
static inline void logits(peft_backbone *b, float out[10])
{
    peft_model *m = tiny_model(b, b->shape.classes ? "classes=0" : "classes=5");
    peft_session *s = tiny_session(m, "batch=2");
    tiny_batch x = tiny_first_batch(m, 2);
    peft_tensor *y = tiny_tensor(b->ctx, PEFT_F32, 2, 2, 5);
    OK(peft_session_predict(s, x.images, y));
    memcpy(out, peft_tensor_cdata(y), 10 * sizeof *out);
    peft_tensor_free(y);
    tiny_batch_free(&x);
    peft_session_free(s);
    peft_model_free(m);
}

/* Compares fingerprints and logits, and frees both. */
static inline void check_same_backbone(peft_backbone *a, peft_backbone *b, const char *name)
{
    float x[10], y[10];
    ck_assert_msg(!strcmp(peft_backbone_fingerprint(a), peft_backbone_fingerprint(b)), "%s: fingerprints differ", name);
    logits(a, x);
    logits(b, y);
    ck_assert_msg(!memcmp(x, y, sizeof x), "%s: logits differ", name);
    peft_backbone_free(a);
    peft_backbone_free(b);
}

/* Options that state eps and activation of b. */
static inline const char *eps_and_act(const peft_backbone *b)
{
    static char text[64];
    snprintf(text, sizeof text, "eps=%g,act=%s", b->shape.eps, pf_act_name(b->shape.act));
    return text;
}
#endif
