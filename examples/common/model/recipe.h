/* SPDX-License-Identifier: Apache-2.0
 * recipe.h -- how a model is trained, as flags, and the objects that this needs: what finetune takes on its command
 * line and compare takes for each line of its list. */
#ifndef RECIPE_H
#define RECIPE_H
#include "common/program/flags.h"
#include "weights.h"
#include <peft/io.h>
#include <peft/peft.h>
#include <stdint.h>

/* Those from batch to clip_norm are options of peft_trainer_create and go there as they are. What --trainer gives takes
 * the place of their defaults (settle_recipe). */
#define RECIPE_FLAGS(X) \
    X(method, "NAME", "ept", "see inspect --methods") \
    X(options, "LIST", NULL, "name=value,... of the method") \
    X(head, "LIST", NULL, "of the model: head, head_init, head_layers, pool") \
    X(epochs, "N", "20", "passes through the training images") \
    X(batch, "N", "4", "images a step") \
    X(lr, "RATE", "1e-3", "largest learning rate") \
    X(weight_decay, "RATE", "0.01", "of matrices; biases, norms and scales have none (else --trainer decay_on=all)") \
    X(optimizer, "NAME", "adamw", "adamw or sgd") \
    X(schedule, "NAME", "cosine", "constant, cosine, warmup_cosine, warmup_cosine_full_period, step") \
    X(warmup, "N", NULL, "steps") \
    X(loss, "NAME", NULL, "see inspect --trainer; else what the labels ask for") \
    X(clip_norm, "NORM", NULL, "bound of the norm of all gradients") \
    X(trainer, "LIST", NULL, "name=value,... of all that inspect --trainer lists") \
    BACKBONE_OPTIONS(X) \
    X(image_size, "N", NULL, "side in pixels; else the backbone's") \
    X(preprocess, "LIST", NULL, "name=value,... (inspect --preprocess) in place of single words of what the " \
      "backbone's files say (ImageNet's mean and std where they say nothing) and of flip=0.5")
#define RECIPE_ID(name, argument, value, help) recipe_##name,
enum { RECIPE_FLAGS(RECIPE_ID) recipe_flags };

/* An option that has a flag may stand in --trainer too: what is given wins over a default, a list file's line over the
 * command line, and the same option given by both at one place is refused. Afterwards the flag has the value and
 * --trainer the others; every value is a copy of the recipe's own. */
void settle_recipe(flag *recipe);

typedef struct trial {
    /* given */
    const char *backbone;                                     /* path */
    peft_context *images;                                     /* of data sets, transform and loader: not ctx, so that
                                                                 planned and the peak of ctx are of the network alone */
    peft_dataset *train;
    uint64_t seed;                                            /* of initial values, order and augmentation */
    int threads, loader_threads;                              /* 0: all cores; 0: the caller alone */
    /* made; owned by the trial */
    peft_context *ctx;
    peft_backbone *vit;
    peft_model *model;
    peft_trainer *trainer;
    peft_transform *transform;
    peft_loader *loader;
    const char *described;                                    /* where the preprocessing comes from, in words */
    int64_t epochs;
    double planned;                                           /* bytes held before training, and the trainer's */
} trial;

/* recipe: the values of recipe_flags flags, settled. A method that brings a network of its own gets the head it asks
 * for, and every method with an option "classes" the data set's classes. */
void build_trial(trial *t, const flag *recipe);
void free_trial(trial *t);
#endif
