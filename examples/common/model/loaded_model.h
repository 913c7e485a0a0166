/* SPDX-License-Identifier: Apache-2.0
 * loaded_model.h -- loads a model for predict and merge: a backbone, and what was trained on it (a model or adapter
 * file of this library, or a folder in Hugging Face's PEFT format). A backbone with its own classifier, such as merge
 * writes, needs no second file. */
#ifndef LOADED_MODEL_H
#define LOADED_MODEL_H
#include "common/decision/decision.h"
#include "common/decision/prediction_sets.h"
#include "common/backbone/image_sides.h"
#include <peft/io.h>
#include <peft/peft.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct loaded_model {
    peft_context *ctx;
    peft_backbone *vit;
    peft_model *model;
    peft_transform *transform;                                /* preprocessing in training; NULL: not in the files */
    char *image_options;                                      /* how training read its images; NULL: by the defaults */
    int64_t classes;
    bool multilabel;                                          /* several labels per image: independent probabilities */
    char *link;                                               /* "softmax" or "sigmoid"; NULL: not in the files */
    decision how;                                             /* thresholds of the files, else plain_decision */
    set_rule sets;                                            /* prediction sets of the files; level 0: none */
    char *class_names;                                        /* one on each line; NULL: not in the files */
    bool own_head;                                            /* the classifier is that of a backbone as it was
                                                               * pretrained: no trained file, nor one of merge */
    const char **names;                                       /* [classes], set by name_classes */
    char *storage;                                            /* characters of names */
} loaded_model;

/* Loads the files; an error, such as a file of the wrong kind, ends the program. backbone_options: text of
 * --backbone-options, or NULL (load_backbone). trained: path, or NULL for the backbone alone. threads: a number, or
 * ALL_CORES. */
enum { ALL_CORES = 0 };
loaded_model open_model(const char *backbone, const char *backbone_options, const char *trained, int threads);
/* The kind of the trained file, "model" or "adapter", to be freed; NULL: path is a folder in Hugging Face's PEFT
 * format. *preprocess: the text of the training's transform, to be freed; NULL: the file does not hold it. A file of
 * another kind ends the program. */
char       *trained_kind(peft_context *ctx, const char *path, char **preprocess);
/* Loads path onto the backbone. kind: as trained_kind returns it; with "adapter" the head is the backbone's
 * classifier. */
peft_model *load_trained(peft_backbone *b, const char *path, const char *kind);
image_sides sides_of_text(peft_context *ctx, const char *preprocess);    /* of a transform; NULL: STORED_IMAGE_SIZE */
/* Sets names: from list ("a,b", may be NULL), else from the files, else class_0, class_1, ... with a warning. Warns of
 * own_head without a list. Fails if the model has no classifier. */
void   name_classes(loaded_model *s, const char *list);
/* Sets transform for predicting: that of the training, else the backbone's; settings in changes ("mean=..,std=..", may
 * be NULL) replace those of the same name. */
void   choose_transform(loaded_model *s, const char *changes);
void   close_model(loaded_model *s);
#endif
