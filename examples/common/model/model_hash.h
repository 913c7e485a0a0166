/* SPDX-License-Identifier: Apache-2.0
 * model_hash.h -- tells models apart by their trained values. */
#ifndef MODEL_HASH_H
#define MODEL_HASH_H
#include <peft/peft.h>

/* SHA-256 over names, extents and values of all trained tensors. */
void hash_model(peft_model *m, char hex[65]);
#endif
