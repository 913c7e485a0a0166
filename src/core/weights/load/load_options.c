/* SPDX-License-Identifier: Apache-2.0
 * load_options.c -- the options of loading a backbone. */
#include "core/weights/load/load.h"

const pf_opt pf_backbone_load_options[] = {
    { "image_size", 'i', "0", 0, 65536, "side to work at; 0: the file's; else the position embedding is resampled" },
    { "resample", 's', "auto", 0, 0, "timm, hf, mmcls, torchvision or bilinear; auto: by the file's family" },
    { "naming", 's', "auto", 0, 0, "the naming that the file must have, as in timm, hf, clip; auto: any" },
    { "prefix", 's', "auto", 0, 0, "prefix of the ViT's names, as in teacher.; auto: the only ViT, or the teacher" },
    { "config", 's', "auto", 0, 0, "path of a config.json; auto: the one beside the file, if there is one; none" },
    { "patch", 'i', "0", 0, 1024, "side of a patch; 0: from the weights" },
    { "heads", 'i', "0", 0, 65536, "attention heads; 0: from header or config.json, else width / 64 or as is usual" },
    { "eps", 'f', "0", 0, 1, "epsilon of LayerNorm; 0: from header or config.json, else by family" },
    { "act", 's', "auto", 0, 0, "gelu or quickgelu; auto: from header or config.json, else by family" },
    { "pool", 's', "auto", 0, 0, "cls or mean; auto: from header or config.json, else mean where there is fc_norm" },
    { 0 } };
