/* SPDX-License-Identifier: Apache-2.0
 * pixels.c -- mean and standard deviation of pixels that most families were trained with. */
#include "core/arch/arch.h"

const pf_pixels pf_imagenet = { PF_IMAGENET_MEAN, PF_IMAGENET_STD }, pf_clip = { PF_CLIP_MEAN, PF_CLIP_STD };
