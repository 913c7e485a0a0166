/* SPDX-License-Identifier: Apache-2.0
 * backbone_name.h -- the note "backbone" of a model file: which backbone it was trained with, for the error that it is
 * given another one. */
#ifndef BACKBONE_NAME_H
#define BACKBONE_NAME_H
#include <peft/peft.h>

/* "vit_cifar10.safetensors: width=192 depth=6 .."; path: of the backbone, whose last part counts. To be freed. */
char *backbone_description(const peft_backbone *b, const char *path);
/* Ends the program: the model at `model` was trained with the backbone of this note (NULL: the file has none), and b is
 * another one. Call it right after the function that returned PEFT_E_MISMATCH. */
_Noreturn void fail_for_other_backbone(const char *model, const char *note, const peft_backbone *b);
#endif
