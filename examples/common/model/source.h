/* SPDX-License-Identifier: Apache-2.0
 * source.h -- a model for inference from the files that the command line names: a backbone, and what was trained on it
 * (a model or adapter file of this library, a folder of Hugging Face's PEFT, or nothing for a backbone with a
 * classifier of its own, such as merge writes). */
#ifndef SOURCE_H
#define SOURCE_H
#include <peft/io.h>
#include <peft/peft.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct source {
    peft_context *ctx;
    peft_backbone *vit;
    peft_model *model;
    peft_transform *transform;                                /* the one it was trained with; NULL: not said */
    int64_t classes;
    bool several;                                             /* labels an image: a probability a class of its own */
    char *link;                                               /* "softmax" or "sigmoid" (several); NULL: not said */
    char *class_names;                                        /* one a line; NULL: no file has them */
    const char **names;                                       /* [classes], by name_classes */
    char *storage;
} source;

/* facts: as load_backbone's. trained: NULL for none. Files of a wrong kind are refused by what they are. */
source open_source(const char *backbone, const char *facts, const char *trained, int threads);
/* Fills names: from list ("a,b", may be NULL), else from the files; without either they are class_0, class_1, ... and a
 * warning says so. */
void   name_classes(source *s, const char *list);
/* Makes transform what pictures are prepared by: the one of training, or the backbone's where that is not said, with
 * words (may be NULL) in the place of single words of it. */
void   choose_transform(source *s, const char *words);
void   close_source(source *s);
#endif
