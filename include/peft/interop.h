/* SPDX-License-Identifier: Apache-2.0
 * peft/interop.h -- adapters in the form of Hugging Face's PEFT library: a directory with adapter_config.json and
 * adapter_model.safetensors; where the latter is missing, adapter_model.bin (of torch.save) is read. LoRA (with rsLoRA
 * and DoRA), IA3, LN tuning, VeRA and OFT, over the module names of transformers' ViT and DINOv2 (before and since
 * version 5), CLIP and SigLIP, of timm, and of open_clip. docs/interop.md lists the fields of a configuration that are
 * supported. */
#ifndef PEFT_INTEROP_H
#define PEFT_INTEROP_H
#include <peft/adapter.h>
PEFT_BEGIN_DECLS

/* Makes an adapter of method lora, ia3, ln_tune, vera or oft, which can be trained, saved and loaded as any other. A
 * classifier in the directory is not loaded. Naming and prefix are detected by the names in the file.
 * PEFT_E_UNSUPPORTED: the configuration needs a computation that this library lacks; the message names the field.
 * PEFT_E_FORMAT: malformed, or tensors missing, unexpected or of other shapes than configuration and backbone give.
 * PEFT_E_NONFINITE: a tensor holds NaN or Inf. */
PEFT_API PEFT_NODISCARD peft_status peft_adapter_load_hf(peft_backbone *b, const char *dir, peft_adapter **out);

/* Saves the adapter as such a directory. Options (o may be NULL):
 * "naming": hf5, the module names of transformers 5; hf, those of earlier versions (current ones refuse such files, or
 * ignore LN tuning in them); timm; hf-clip, CLIP and SigLIP of transformers; timm-unfused, timm's Eva with q, k and v
 * apart; clip, open_clip; hf-dinov3, DINOv3 of transformers; auto (default), hf5 for a network of transformers' ViT,
 * DeiT, I-JEPA or DINOv2, else the names of the file that the backbone came from, or timm's.
 * "prefix": the beginning of the names of the backbone's modules. Default: that of the model class: "vit.", "deit.",
 * "ijepa.", "dinov2.", "dinov2_with_registers."; for naming hf-clip "vision_model.", for clip "visual.", for hf-dinov3
 * "model.", for timm and timm-unfused "".
 * "gated_mlp": with naming timm and timm-unfused the name of a gated MLP's first layer, fc1, fc1_g (and fc1_x) or w12.
 * Default: fc1_g if such a half is adapted, else fc1.
 * The directory is made if it is missing. A crash leaves the old adapter, the new one, or tensors without their
 * configuration; never a mixture. A layer that is one module here and several there, or the reverse (attn.qkv), is
 * written as what the naming has, with the same logits. PEFT_E_UNSUPPORTED: PEFT does not have the method, its
 * modules cannot express the adapter, or no class of the naming has the network. PEFT_E_NONFINITE: NaN or Inf. */
PEFT_API PEFT_NODISCARD peft_status peft_adapter_save_hf(const peft_adapter *a, const char *dir, const peft_options *o);
PEFT_API const peft_option *peft_save_hf_option(size_t i);                     /* see options.h; NULL: after the last */

/* The same with the classifier, which PEFT stores as one of "modules_to_save". Loading makes a model with that one
 * adapter and a linear head, or the backbone's own head when the directory has none, or head=none when the backbone has
 * none either. An adapter of the classifier is merged into the linear head. Saving takes a model with exactly one
 * adapter, with a linear head of the feature of the class, the backbone's own head or none, and with the pooling of the
 * backbone; notes are not saved, nor statistics of peft_adaptor_store_source, for which a warning is logged. */
PEFT_API PEFT_NODISCARD peft_status peft_model_load_hf(peft_backbone *b, const char *dir, peft_model **out);
PEFT_API PEFT_NODISCARD peft_status peft_model_save_hf(const peft_model *m, const char *dir, const peft_options *o);

PEFT_END_DECLS
#endif
