/* SPDX-License-Identifier: Apache-2.0
 * load_options.c -- the options of loading a backbone. */
#include "core/weights/load/load.h"

const pf_opt pf_backbone_load_options[] = {
    { "image_size", 'x', "0", 0, 65536, "side of the images in pixels, or HEIGHTxWIDTH; 0: the file's; for another one "
      "the position embedding is resampled" },
    { "resample", 's', "auto", 0, 0, "how the position embedding is resampled: timm, hf, mmcls, torchvision or "
      "bilinear; auto: as in the library that wrote the file" },
    { "weights", 's', "file", 0, 0, "how the matrices of the blocks are kept in memory: file, in the type of the file; "
      "int8, rounded to whole numbers with a scale for each row" },
    { "naming", 's', "auto", 0, 0, "the naming that the tensors must have: timm, hf, hf5, hf-dinov3, hf-clip, "
      "clip, torchvision or mmcls; auto: any of them" },
    { "prefix", 's', "auto", 0, 0, "prefix of the tensor names of the ViT to load, or its first words, as "
      "teacher, in a file with several ViTs; auto: the only ViT, or the teacher beside a student" },
    { "ignore", 's', "", 0, 0, "names of tensors outside the ViT that are left out, such as criterion.weight; * stands "
      "for any characters, several are given as [A,B]" },
    { "config", 's', "auto", 0, 0, "path of a configuration file or of its folder; auto: the files beside the weights; "
      "none: no file" },
    { "patch", 'i', "0", 0, 1024, "side of a patch in pixels; 0: from the weights" },
    { "heads", 'i', "0", 0, 65536, "attention heads of a block; 0: from header or configuration, else as usual for the "
      "width and depth (width / 64)" },
    { "eps", 'f', "0", 0, 1, "epsilon of LayerNorm; 0: from header or configuration, else as usual for the family" },
    { "act", 's', "auto", 0, 0, "activation of the MLP, or of its gate: " PF_ACT_NAMES "; auto: from header or "
      "configuration, else as usual for the family" },
    { "gate", 's', "auto", 0, 0, "half of fc1's outputs to which a gated MLP applies the activation: first or last; "
      "auto: from the header, else first" },
    { "final_norm", 's', "auto", 0, 0, "false: a network without norm and fc_norm, which are left out if the file "
      "has them; auto: from header or configuration, else a norm is expected" },
    { "rope", 's', "auto", 0, 0, "rotary positions: none; axial (timm's cat); dinov3, of coordinates in -1..1; mixed, "
      "with trained frequencies; auto: from header or configuration" },
    { "rope_temperature", 's', "auto", 0, 0, "base of their frequencies; auto: from header or configuration, else "
      "10000, or 100 where DINOv3's kind is assumed" },
    { "rope_grid_offset", 's', "auto", 0, 0, "is added to row and column of a patch; auto: the same, else 0" },
    { "rope_grid_indexing", 's', "auto", 0, 0, "ij: the row comes first; xy: the column; auto: the same, else ij" },
    { "rope_rotate_half", 's', "auto", 0, 0, "true: pairs of elements are (j, j + half of the head), false: "
      "neighbours; auto: the same, else false" },
    { "ref_feat_shape", 's', "auto", 0, 0, "with rope=axial: side of the grid to which rows and columns are scaled, 0: "
      "none; auto: the same, else 0" },
    { "pool", 's', "auto", 0, 0, "what the head reads: cls (the class token), mean (of the patch tokens), cls_mean "
      "(both side by side), cls_dist (class and distillation token side by side) or attention (attention pooling); "
      "auto: from header or configuration, else by the tensors: mean where the file has fc_norm" },
    { "pool_heads", 'i', "0", 0, 65536, "heads of attention pooling; 0: from header or configuration, else as usual "
      "for the family" },
    { "pool_eps", 'f', "0", 0, 1, "epsilon of the norms of attention pooling; 0: from header or configuration, else as "
      "usual for the family" },
    { 0 } };

const peft_option *peft_backbone_option(size_t i) { return pf_option_at(pf_backbone_load_options, i); }
