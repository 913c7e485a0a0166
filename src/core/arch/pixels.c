/* SPDX-License-Identifier: Apache-2.0
 * pixels.c -- mean and std of the pictures that most families were trained on. */
#include "core/arch/arch.h"

const pf_pixels pf_imagenet = { PF_IMAGENET_MEAN, PF_IMAGENET_STD }, pf_clip = { PF_CLIP_MEAN, PF_CLIP_STD };
