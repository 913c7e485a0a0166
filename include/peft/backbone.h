/* SPDX-License-Identifier: Apache-2.0
 * peft/backbone.h -- a Vision Transformer's pretrained weights.
 * Immutable once made, so any number of models, sessions and threads share one copy. */
#ifndef PEFT_BACKBONE_H
#define PEFT_BACKBONE_H
#include <peft/options.h>
#include <peft/tensor.h>
PEFT_BEGIN_DECLS

typedef struct peft_backbone peft_backbone;

/* The largest number of blocks of a backbone, because sets of blocks are the bits of a uint64_t. Deeper ones are
 * refused. */
#define PEFT_DEPTH_MAX 64

/* Loads weights (f32, f16, bf16 or f64) that are named as timm, Hugging Face (ViT, DINOv2, DINOv3, CLIP), OpenAI's
 * CLIP, torchvision or mmpretrain do; which naming a file has, and with which prefix, is detected. path: a
 * safetensors file; a file of torch.save (.pth, .pt, .bin), of which nothing is executed and only tensors in
 * dictionaries and lists are read; the index of a model in several files (model.safetensors.index.json); or a folder
 * with one of these under the name that Hugging Face's libraries or open_clip give it. The format is recognised by
 * the content. Options, all optional:
 *   "image_size"  side in pixels, or "HxW" (384x512: height 384, width 512); the position embedding is resampled to it.
 *                 Else the file's size: a square, unless header or configuration state other sides
 *   "resample"    the rule for that: timm, hf, mmcls, torchvision, bilinear
 *   "weights"     file: matrices stay in the type of the file; int8: those of the blocks (q, k, v, proj, fc1, fc2) are
 *                 rounded to -127..127 after a rotation of each block of 64 columns, with a scale for each row and 768
 *                 columns: about a quarter of the bytes of f32, error about 1 % of a matrix. Any arithmetic computes
 *                 with it: "int8" with the same bits as with the weights of the file, others with the rounded values.
 *                 The fingerprint stays that of the file. A file saved with dtype=int8 is used so by both.
 *   "naming"      auto, timm, hf, hf5, hf-dinov3, hf-clip, clip, torchvision, mmcls
 *   "prefix"      of the names of the wanted ViT, if a file holds several, or its first words: "teacher" for
 *                 "teacher.backbone.". A dictionary in a file of torch.save is a part of the prefix: "model_ema".
 *   "patch", "heads", "eps", "act" (gelu, quickgelu), "pool" (cls, mean, cls_mean: both side by side, cls_dist: class
 *                 and distillation token side by side, attention), "pool_heads", "pool_eps" (of attention pooling):
 *                 facts that do not follow from the tensors. An option has precedence over the file's header, the
 *                 header over the configuration files beside it, and those over the defaults of the family of networks.
 *   "config"      auto (the configuration files beside the weights: open_clip_config.json for weights under open_clip's
 *                 names; else config.json, processor_config.json and preprocessor_config.json), none, or the path of
 *                 one such file or of a folder with them. A setting in them that this library does not compute is
 *                 PEFT_E_UNSUPPORTED with file, key and value.
 * f32 weights, and the matrices of f16 and bf16 files, stay mapped from the file, which must not be changed in place
 * while in use; it may be replaced, as every save of this library does. Matrix products convert f16 and bf16 to f32 as
 * they read them: results equal, bit for bit, those of an f32 file with the same values, without an f32 copy in memory.
 * Adapter, model and state files are read into memory.
 * PEFT_E_FORMAT: one message lists the missing and the unexpected tensors. PEFT_E_UNSUPPORTED: a network of another
 * kind. PEFT_E_NONFINITE: a tensor holds NaN or Inf; loading looks for it in all tensors. */
PEFT_API PEFT_NODISCARD peft_status
peft_backbone_load(peft_context *ctx, const char *path, const peft_options *o, peft_backbone **out);
PEFT_API const peft_option *peft_backbone_option(size_t i);       /* of loading (options.h); NULL: after the last */
/* The same from the size bytes at data, the content of such a file; they must outlive the backbone. */
PEFT_API PEFT_NODISCARD peft_status
peft_backbone_load_memory(peft_context *ctx, const void *data, size_t size, const peft_options *o, peft_backbone **out);
/* Makes a backbone with random weights (normal, standard deviation 0.02, as timm initialises a ViT), for tests,
 * benchmarks and training from scratch. Options: "image_size" (N or HxW), "patch", "width", "depth", "heads", "mlp",
 * "classes", "registers", "layer_scale", "swiglu", "gate", "qkv_bias", "proj_bias", "class_token", "pos_embed",
 * "no_embed_class", "norm_pre", "qk_norm", "attn_norm", "mlp_norm", "final_norm", "eps", "act", "pool", "seed". */
PEFT_API PEFT_NODISCARD peft_status
peft_backbone_create(peft_context *ctx, const peft_options *o, peft_backbone **out);
PEFT_API const peft_option *peft_backbone_create_option(size_t i);
/* Writes a safetensors file with timm names, atomically; facts that do not follow from the weights (heads, eps, ..) and
 * the notes "preprocess" (empty if only mean and std are known) and "class_names" in its header. */
PEFT_API PEFT_NODISCARD peft_status peft_backbone_save(const peft_backbone *b, const char *path);
/* Saves the backbone under another library's names, or rounded. Options, o may be NULL:
 *   "naming"       timm; hf, the names of transformers before version 5; hf5, those since; hf-dinov3, those of its
 *                  DINOv3, which hf and hf5 choose too for a backbone with rotary positions; clip, those of open_clip's
 *                  image tower ("visual."); torchvision
 *   "classifier"   false leaves the classifier out
 *   "class_names"  one name in each line; default: the note "class_names"
 *   "link"         softmax for one label for each image, sigmoid for several; kept in the header, and in config.json as
 *                  problem_type
 *   "dtype"        f32; f16 or bf16: every tensor, rounded to nearest even; int8: the matrices of the blocks as the
 *   load
 *                  option "weights" rounds them, about a quarter of the bytes of f32, other tensors f32. Only this
 *                  library reads such a file, so that naming is timm. Loaded, it gives in every arithmetic the bits of
 *                  the original with weights=int8, uses the matrices from the map, and has the fingerprint of the
 *                  original, which its header states (docs/backbones.md says what is checked of that). A backbone
 *                  whose matrices are int8 is saved with its own bytes, and with another dtype with its rounded
 *                  values, which is logged as a warning.
 * In hf and hf5 q, k and v are tensors of their own. path is then a folder, made if it is missing, with
 * model.safetensors, config.json and preprocessor_config.json; if path ends in .safetensors, that file alone is
 * written. preprocessor_config.json follows the note "preprocess" as far as Hugging Face's processors can: they always
 * round a crop's offset down (crop_offset=floor) and draw transparent pixels on white (alpha=white). A crash leaves
 * the old folder, the new one, tensors without config.json, or, as preprocessor_config.json comes last, the new tensors
 * and config.json with the old preprocessor_config.json. The model class (ViT, DeiT, DINOv2, DINOv3, I-JEPA, CLIP,
 * SigLIP, MAE) is that of the file that b was loaded from, or else follows from the network. With timm, tensors that
 * timm's classes name in different ways (VisionTransformer: ls1.gamma; Eva: gamma_1, q_bias, fc1_g, ..) get the names
 * of that file.
 * PEFT_E_UNSUPPORTED: b has a part that no model class of the library has (a gated MLP without LayerScale, ..), which
 * the message names, or images that are not square and another naming than timm. PEFT_E_NONFINITE: a tensor holds NaN
 * or Inf, or a value that rounds to Inf (f16: from 65520 on; int8: a sum of 64 elements near the largest float);
 * nothing is written. */
PEFT_API PEFT_NODISCARD peft_status
peft_backbone_save_as(const peft_backbone *b, const char *path, const peft_options *o);
PEFT_API const peft_option *peft_backbone_save_option(size_t i);        /* of peft_backbone_save_as */
PEFT_API void    peft_backbone_free(peft_backbone *b);
/* The context in which b, and all that is made from it, was made. Borrowed; NULL for NULL. */
PEFT_API peft_context *peft_backbone_context(const peft_backbone *b);

/* "width", "depth", "heads", "mlp", "patch", "image_height" and "image_width" (of the images, in pixels), "image_size"
 * (their side; -1 if they are not square), "tokens", "prefix" (class and register tokens), "registers", "classes",
 * "feature_width" (columns of the feature that the classifier reads), "parameters"; -1: no such fact. */
PEFT_API int64_t peft_backbone_get(const peft_backbone *b, const char *what);
/* Facts about images and classes from the backbone's files. Borrowed from b; NULL: unknown.
 *   "preprocess"     the complete preparation of its images, for peft_transform_parse ("size=224,resize=256,..."), as
 *                    the library that wrote the description does it. All of it comes from one source: the file's
 *                    header, else timm's pretrained_cfg, open_clip's preprocess_cfg or the image processor of Hugging
 *                    Face. NULL if no file states it, or if no text can express it (do_pad, processors of Hugging Face
 *                    whose inputs are not square, unknown ones), which is logged as a warning with the key. It suits
 *                    the image size of b: if "image_size" set another one than the description's, timm's crop_pct
 *                    stays, and sides in pixels grow in proportion: 256 before a crop of 224 becomes
 *                    round(256 / 224 * image_size); if one of the sizes is not square, it becomes
 *                    resize=shorter,crop_pct=0.875
 *   "mean", "std" ("0.5:0.5:0.5"), "image_size" (of the description or training), "crop_pct", "interpolation": single
 *                    facts, known for some families even without a file
 *   "class_names"    of the classifier, one in each line
 *   "link"           the function from its logits to probabilities, softmax (one label an image) or sigmoid (several),
 *                    from the file's header or Hugging Face's problem_type
 *   "settings"       what the tensors do not show, as options for peft_backbone_load:
 *                    "heads=12,eps=1e-06,act=gelu,pool=cls,rope=none"
 *   "parts"          what the tensors show beside the sizes, "class token, position embedding, LayerScale, ..."
 *   "assumed"        one line for each fact of the network that no tensor, option, header or configuration states
 *                    ("heads=12: width / 64"). They are also logged when b is loaded, in one warning. */
PEFT_API const char *peft_backbone_note(const peft_backbone *b, const char *key);
PEFT_API size_t  peft_backbone_tensor_count(const peft_backbone *b);
PEFT_API const char        *peft_backbone_tensor_name(const peft_backbone *b, size_t i);   /* timm's; NULL: none */
/* Borrowed from b; NULL: no such index. f32; but matrices of a file in f16 or bf16 keep that type (peft_tensor_dtype;
 * peft_tensor_to_f32 converts). Those that "weights" stores as int8 are PEFT_I8: only peft_tensor_to_f32 gives their
 * values; peft_tensor_cdata points to rotated numbers. */
PEFT_API const peft_tensor *peft_backbone_tensor(const peft_backbone *b, size_t i);
/* 64 hex digits: SHA-256 over heads, activation, pooling, eps and the names, shapes and f32 values of all tensors but
 * the classifier's; equal for the same weights and facts in timm and Hugging Face naming, whatever "image_size" is.
 * Where matrices are stored as int8, it is that of the values that were rounded; for a file saved with dtype=int8
 * the one that the file states, if tensors and facts are those with which it was saved, else a digest of these, with
 * a warning. */
PEFT_API const char *peft_backbone_fingerprint(peft_backbone *b);

PEFT_END_DECLS
#endif
