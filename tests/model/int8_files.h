/* SPDX-License-Identifier: Apache-2.0
 * int8_files.h -- a random backbone in a file of f32 and in one with matrices stored as int8. */
#ifndef INT8_FILES_H
#define INT8_FILES_H
#include "tiny_files.h"

/* Writes the backbone of these options to the file "original", and with dtype=int8 to "int8". */
static inline peft_context *int8_write_files(const char *options)
{
    peft_context *ctx = tiny_plain_context();
    peft_backbone *b = tiny_backbone(ctx, options, "seed=5");
    peft_options *o = tiny_options(ctx, "dtype=int8");
    OK(peft_backbone_save(b, tiny_path("original")));
    OK(peft_backbone_save_as(b, tiny_path("int8"), o));
    peft_options_free(o);
    peft_backbone_free(b);
    return ctx;
}
#endif
