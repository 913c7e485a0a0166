/* SPDX-License-Identifier: Apache-2.0
 * first_weights.h -- initial weights for training without a pretrained backbone. */
#ifndef FIRST_WEIGHTS_H
#define FIRST_WEIGHTS_H
#include <peft/peft.h>

/* Gives the trainable tensors of a random backbone the structure that trained ones have, after
 * Trockman and Kolter, "Mimetic Initialization of Self-Attention Layers", 2023: tokens first look at what is like them
 * and near them, and the attention output first takes their own value away. m: every tensor of the backbone is
 * trainable under timm's names, with one class token. */
void mimic_trained(peft_model *m);
#endif
