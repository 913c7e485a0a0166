/* SPDX-License-Identifier: Apache-2.0
 * peft/backbone.h -- a Vision Transformer's pretrained weights (methods.md of the field: timm and Hugging Face files).
 * Immutable once made, so any number of models, sessions and threads share one copy. */
#ifndef PEFT_BACKBONE_H
#define PEFT_BACKBONE_H
#include <peft/options.h>
#include <peft/tensor.h>
PEFT_BEGIN_DECLS

typedef struct peft_backbone peft_backbone;

/* Loads a safetensors file (f32, f16 or bf16; timm or Hugging Face naming, detected). Options, all optional:
 * "image_size" (side in pixels; the position embedding is resampled to it), "resample" (timm, hf, mmcls, bilinear),
 * "naming" (auto, timm, hf), and what a file cannot tell and its header does not say: "patch", "heads", "eps",
 * "act" (gelu, quickgelu), "pool" (cls, mean). f32 weights stay mapped from the file, which must not be changed in
 * place while in use. Missing and unexpected tensors are listed in one PEFT_E_FORMAT message. */
PEFT_API PEFT_NODISCARD peft_status
peft_backbone_load(peft_context *ctx, const char *path, const peft_options *o, peft_backbone **out);
/* The same from memory, which must outlive the backbone. */
PEFT_API PEFT_NODISCARD peft_status
peft_backbone_load_memory(peft_context *ctx, const void *data, size_t size, const peft_options *o, peft_backbone **out);
/* Random weights (truncated normal 0.02), for tests, benchmarks and training from scratch: "image_size", "patch",
 * "width", "depth", "heads", "mlp", "classes", "registers", "layer_scale", "qkv_bias", "eps", "act", "pool", "seed". */
PEFT_API PEFT_NODISCARD peft_status
peft_backbone_create(peft_context *ctx, const peft_options *o, peft_backbone **out);
PEFT_API void    peft_backbone_free(peft_backbone *b);

/* "width", "depth", "heads", "mlp", "patch", "image_size", "tokens", "prefix" (class and register tokens),
 * "registers", "classes", "parameters"; -1: no such fact. */
PEFT_API int64_t peft_backbone_get(const peft_backbone *b, const char *what);
PEFT_API size_t  peft_backbone_tensor_count(const peft_backbone *b);
PEFT_API const char        *peft_backbone_tensor_name(const peft_backbone *b, size_t i);   /* timm names; NULL: no such */
PEFT_API const peft_tensor *peft_backbone_tensor(const peft_backbone *b, size_t i);
/* 64 hex digits: SHA-256 over heads, activation, pooling, eps and the names, shapes and f32 values of all tensors but the
 * classifier's; equal for the same weights and facts in timm and Hugging Face naming, whatever "image_size" is. */
PEFT_API const char *peft_backbone_fingerprint(peft_backbone *b);

PEFT_END_DECLS
#endif
