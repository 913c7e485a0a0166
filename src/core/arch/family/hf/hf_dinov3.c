/* SPDX-License-Identifier: Apache-2.0
 * hf_dinov3.c -- Hugging Face's DINOv3: rotary positions, LayerScale, and biases that config.json switches on and off
 * one by one. */
#include "core/arch/arch.h"

/* Columns: name in the file; timm's name (@: weight or bias); part (1, 2, 3: q, k, v, or 1, 2: the halves of fc1; 0:
 * the whole tensor); properties of the networks that are saved under this name (0: all networks). In a gated MLP
 * up_proj is the second half of fc1, in a plain one the whole (pf_naming.lone_half). */
static const pf_name_row top[] = {
    { "embeddings.cls_token", "cls_token", 0, 0 }, { "embeddings.register_tokens", "reg_token", 0, 0 },
    { "embeddings.patch_embeddings.@", "patch_embed.proj.@", 0, 0 }, { "norm.@", "norm.@", 0, 0 },
    { "rope_embeddings.inv_freq", NULL, 0, 0 }, { "classifier.@", "head.@", 0, 0 }, { 0 } };
static const pf_name_row block[] = {
    { "norm1.@", "norm1.@", 0, 0 }, { "norm2.@", "norm2.@", 0, 0 },
    { "attention.q_proj.@", "attn.qkv.@", 1, 0 }, { "attention.k_proj.@", "attn.qkv.@", 2, 0 },
    { "attention.v_proj.@", "attn.qkv.@", 3, 0 }, { "attention.o_proj.@", "attn.proj.@", 0, 0 },
    { "mlp.gate_proj.@", "mlp.fc1.@", 1, PF_GATED }, { "mlp.up_proj.@", "mlp.fc1.@", 2, PF_GATED },
    { "mlp.up_proj.@", "mlp.fc1.@", 0, PF_UNGATED }, { "mlp.down_proj.@", "mlp.fc2.@", 0, 0 },
    { "layer_scale1.lambda1", "ls1.gamma", 0, 0 }, { "layer_scale2.lambda1", "ls2.gamma", 0, 0 }, { 0 } };

/* transformers writes the first front into files; a state_dict of its model in memory has the second. No tensor tells
 * the activation of the gated MLP. */
const pf_naming pf_naming_hf_dinov3 = {
    .name = "hf-dinov3", .front = { { "layer.#.", 0 }, { "model.layer.#.", 0 } }, .top = top, .block = block,
    .silu_tensor = "", .lone_half = true, .absent_biases = PF_ABSENT_ANY, .dtype = "dtype", .written = true };

/* Defaults of transformers' DINOv3ViTConfig, for keys that config.json lacks. */
static const pf_field settings[] = {
    { "rope", "dinov3" }, { "rope_temperature", "100" }, { "rope_rotate_half", "true" }, { 0 } };
static const pf_arch_row model_types[] = {
    { .glob = "dinov3_vit", .rule = "timm", .heads = 6, .eps = 1e-5, .processor = "DINOv3ViT", .settings = settings },
    { 0 } };

static const pf_lack lacks[] = {
    { PF_HAS_NO_ROPE, "a network without rotary positions" },
    { PF_HAS_OTHER_ROPE, "rotary positions of another kind than DINOv3's" },
    { PF_HAS_POSITIONS, "a position embedding beside rotary positions" },
    { PF_HAS_NO_LAYER_SCALE, "a network without LayerScale" },
    { PF_HAS_NO_CLASS_TOKEN, "a network without a class token" },
    { PF_HAS_FC_NORM, "the norm after mean pooling (fc_norm)" }, { PF_HAS_NORM_PRE, "a norm before the blocks" },
    { PF_HAS_NO_NORM, "a network without a final norm" }, { PF_HAS_ATTN_POOL, "attention pooling" },
    { PF_HAS_NO_PATCH_BIAS, "a patch embedding without a bias" },
    { PF_HAS_INNER_NORMS, "norms inside attention or MLP" },
    { PF_HAS_LAST_GATE, "a gated MLP with the activation on the second half" },
    { PF_HAS_CLASSIFIER, "a classifier of DINOv3 (classifier=false leaves it out)" }, { 0 } };
static const pf_field fields[] = {
    { "num_channels", "3" }, { "attention_dropout", "0.0" }, { "drop_path_rate", "0.0" },
    { "initializer_range", "0.02" }, { "layerscale_value", "1.0" }, { "apply_layernorm", "true" },
    { "reshape_hidden_states", "true" }, { 0 } };
static const pf_filled filled[] = { { .name = "embeddings.mask_token", .leading = 2 }, { 0 } };
static const pf_hf_model saved = {
    .type = "dinov3_vit", .model = "DINOv3ViTModel", .lacks = lacks, .fields = fields, .own_fields = true,
    .filled = filled, .no_registers = "embeddings.register_tokens" };

const pf_family pf_family_hf_dinov3 = {
    .name = "Hugging Face DINOv3", .naming = { &pf_naming_hf_dinov3 }, .eps = 1e-5, .act = PK_GELU, .rule = "timm",
    .pixels = &pf_imagenet, .without_positions = true, .rope = settings, .model_types = model_types, .saved = &saved };
