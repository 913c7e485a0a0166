/* SPDX-License-Identifier: Apache-2.0
 * first_weights.h -- initial weights for pretrain, which trains a backbone from scratch. */
#ifndef FIRST_WEIGHTS_H
#define FIRST_WEIGHTS_H
#include <peft/peft.h>

/* Changes the weights of a random backbone so that they resemble trained ones, after Trockman and Kolter, "Mimetic
 * Initialization of Self-Attention Layers", 2023: each token attends to similar and near tokens, and the attention
 * output is about minus the token's own value. m: a model with the method `full`, so that all tensors of the backbone
 * are trainable and have timm's names; one class token. */
void init_mimetic(peft_model *m);
#endif
