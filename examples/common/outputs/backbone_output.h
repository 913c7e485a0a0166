/* SPDX-License-Identifier: Apache-2.0
 * backbone_output.h -- flags of programs that write a backbone (rows as in flags.h), and the check of its path. */
#ifndef BACKBONE_OUTPUT_H
#define BACKBONE_OUTPUT_H
#include "common/outputs/input_files.h"
#include <stdbool.h>

#define OUTPUT_CONTENT_FLAGS(X) \
    X(naming, "NAME", "timm", "names of the tensors: timm, hf (transformers before version 5), hf5 (from 5 on), clip " \
      "(open_clip) or torchvision") \
    X(classifier, "BOOL", "true", "write the classifier: true or false")
#define OUTPUT_PATH_FLAGS(X) \
    X(out, "PATH", NULL, "required: the .safetensors file to write; with --naming hf or hf5 also a folder, which " \
      "gets model.safetensors and config.json") \
    X(force, NULL, NULL, "overwrite --out if it exists")

/* Fails unless --out can be written: it does not exist or force is set, and it is none of the files that loading the
 * inputs reads. With Hugging Face's naming and a path that does not end in .safetensors, it is a folder, and the files
 * that it gets are checked. */
void check_backbone_output(const char *out, const char *naming, bool force, const input_files *in);
#endif
