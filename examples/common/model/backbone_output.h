/* SPDX-License-Identifier: Apache-2.0
 * backbone_output.h -- checks the path that a program is to write a backbone to. */
#ifndef BACKBONE_OUTPUT_H
#define BACKBONE_OUTPUT_H
#include <stdbool.h>

/* Fails unless --out can be written: it does not exist or force is set, and it is none of the inputs. With Hugging
 * Face's naming and a path that does not end in .safetensors, it is a folder, and its model.safetensors is checked.
 * model: another input, or NULL. */
void check_backbone_output(const char *out, const char *naming, bool force, const char *backbone, const char *model);
#endif
