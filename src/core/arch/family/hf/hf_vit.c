/* SPDX-License-Identifier: Apache-2.0
 * hf_vit.c -- Hugging Face's ViT (also MSN, DPT, and I-JEPA, which has no class token) and MAE, under the names that
 * transformers used before version 5 and those that it uses since. */
#include "core/arch/arch.h"

/* Columns: name in the file; timm's name (@: weight or bias); part (1, 2, 3: q, k, v; 0: the whole tensor); properties
 * of the networks that are saved under this name (0: all networks). */
static const pf_name_row top[] = {
    { "embeddings.cls_token", "cls_token", 0, 0 }, { "embeddings.position_embeddings", "pos_embed", 0, 0 },
    { "embeddings.patch_embeddings.projection.@", "patch_embed.proj.@", 0, 0 }, { "layernorm.@", "norm.@", 0, 0 },
    { "classifier.@", "head.@", 0, PF_NO_PAIR }, { 0 } };

#define NORM_ROWS \
    { "layernorm_before.@", "norm1.@", 0, PF_UNSCALED }, { "layernorm_after.@", "norm2.@", 0, PF_UNSCALED }
static const pf_name_row block[] = {
    NORM_ROWS,
    { "attention.attention.query.@", "attn.qkv.@", 1, 0 }, { "attention.attention.key.@", "attn.qkv.@", 2, 0 },
    { "attention.attention.value.@", "attn.qkv.@", 3, 0 }, { "attention.output.dense.@", "attn.proj.@", 0, 0 },
    { "intermediate.dense.@", "mlp.fc1.@", 0, PF_UNSCALED | PF_UNGATED },
    { "output.dense.@", "mlp.fc2.@", 0, PF_UNSCALED | PF_UNGATED }, { 0 } };
/* Some versions store the tensors of a gated MLP under gate_proj, up_proj and down_proj. */
static const pf_name_row block5[] = {
    NORM_ROWS, { "attention.q_proj.@", "attn.qkv.@", 1, 0 }, { "attention.k_proj.@", "attn.qkv.@", 2, 0 },
    { "attention.v_proj.@", "attn.qkv.@", 3, 0 }, { "attention.o_proj.@", "attn.proj.@", 0, 0 },
    { "mlp.fc1.@", "mlp.fc1.@", 0, PF_UNGATED }, { "mlp.fc2.@", "mlp.fc2.@", 0, PF_UNGATED },
    { "mlp.gate_proj.@", "mlp.fc1.@", 1, PF_ONLY_READ }, { "mlp.up_proj.@", "mlp.fc1.@", 2, PF_ONLY_READ },
    { "mlp.down_proj.@", "mlp.fc2.@", 0, PF_ONLY_READ }, { 0 } };

const pf_naming pf_naming_hf = {
    .name = "hf", .front = { { "encoder.layer.#.", 0 } }, .inner = "vit.", .top = top, .block = block,
    .other = &pf_naming_hf_clip, .dtype = "torch_dtype", .written = true,
    .rotary = &pf_naming_hf_dinov3 };
/* Version 5 of transformers renamed the blocks of ViT to "layers.#." and left those of DINOv2 as they were. */
const pf_naming pf_naming_hf5 = {
    .name = "hf5", .front = { { "layers.#.", PF_UNSCALED }, { "encoder.layer.#.", 0 } }, .inner = "vit.", .top = top,
    .block = block5, .other = &pf_naming_hf_clip, .dtype = "dtype", .written = true,
    .rotary = &pf_naming_hf_dinov3 };

static const char *const classifiers[] = { "classifier.@", NULL };
static const char *const ignored[] = { "pooler.*", "embeddings.mask_token", NULL };

/* Refused types are those of other networks. Weights of most of them lack a ViT's tensors, and are refused for that;
 * the rows refuse a configuration file of such a network beside a ViT's weights, too. */
#define REFUSED(type, what) { .glob = type, .refused = what }
#define STAGES   "stages of several widths, or convolutions"
#define WINDOWS  "windows of attention and relative positions"
#define RELATIVE "relative positions"
#define VIDEOS   "patches of videos"
static const pf_arch_row model_types[] = {
    { .glob = "vit", .rule = "mmcls", .processor = "ViT" }, { .glob = "vit_mae", .rule = "mmcls", .processor = "ViT" },
    { .glob = "vit_msn", .rule = "mmcls", .processor = "ViT" },
    { .glob = "dpt", .rule = "bilinear", .processor = "DPT" }, { .glob = "deit", .rule = "mmcls", .processor = "DeiT" },
    { .glob = "ijepa", .rule = "mmcls", .processor = "ViT" },
    REFUSED("beit", RELATIVE), REFUSED("data2vec-vision", RELATIVE), REFUSED("swin*", STAGES),
    REFUSED("*-swin", STAGES), REFUSED("convnext*", STAGES), REFUSED("*_convnext", STAGES), REFUSED("resnet", STAGES),
    REFUSED("regnet", STAGES), REFUSED("efficientnet", STAGES), REFUSED("mobilenet_*", STAGES),
    REFUSED("mobilevit*", STAGES), REFUSED("pvt*", STAGES), REFUSED("cvt", STAGES), REFUSED("levit", STAGES),
    REFUSED("segformer", STAGES), REFUSED("glpn", STAGES), REFUSED("hiera", STAGES), REFUSED("poolformer", STAGES),
    REFUSED("focalnet", STAGES), REFUSED("dinat", STAGES), REFUSED("nat", STAGES), REFUSED("swiftformer", STAGES),
    REFUSED("vitpose*", "a position that is added to every patch"), REFUSED("vitdet", WINDOWS),
    REFUSED("sam", WINDOWS), REFUSED("sam_*", WINDOWS), REFUSED("videomae", VIDEOS), REFUSED("vivit", VIDEOS),
    REFUSED("timesformer", VIDEOS), REFUSED("vjepa*", VIDEOS), REFUSED("aimv2*", "RMSNorm"),
    REFUSED("yolos", "tokens of detections"), { 0 } };

static const pf_lack lacks[] = {
    PF_HF_LACKS, { PF_HAS_NO_CLASS_TOKEN, "a network without a class token" },
    { PF_HAS_REGISTERS, "registers without LayerScale" },
    { PF_HAS_OTHER_POOL, "a classifier of another feature than the class token" },
    { PF_HAS_GATED_MLP, "a gated MLP (SwiGLU) without LayerScale" },
    { PF_HAS_NO_CLASS_ROW, "a class token without a position" }, { 0 } };
static const pf_hf_model saved = { .type = "vit", .model = "ViTModel", .classifier = "ViTForImageClassification",
                                   .needs = PF_UNSCALED, .lacks = lacks };

/* The encoder. With mask_ratio 0 its features are those of all patches. */
static const pf_field mae_fields[] = { { "mask_ratio", "0.0" }, { "norm_pix_loss", "false" }, { 0 } };
static const pf_hf_model mae = { .type = "vit_mae", .model = "ViTMAEModel", .needs = PF_UNSCALED, .lacks = lacks,
                                 .fields = mae_fields, .only_wanted = true };

const pf_family pf_family_hf_mae = {
    .name = "Hugging Face MAE", .naming = { &pf_naming_hf, &pf_naming_hf5 },
    .has_tensor = { "decoder.decoder_embed.*" }, .eps = 1e-12, .act = PK_GELU, .rule = "mmcls",
    .without_class_token = true, .saved = &mae };

const pf_family pf_family_hf_vit = {
    .name = "Hugging Face ViT", .naming = { &pf_naming_hf, &pf_naming_hf5 }, .classifiers = classifiers,
    .ignored = ignored, .eps = 1e-12, .act = PK_GELU, .rule = "mmcls", .without_class_token = true,
    .model_types = model_types, .saved = &saved };
