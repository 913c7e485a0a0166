/* SPDX-License-Identifier: Apache-2.0
 * recipe.h -- the training flags (method, learning rate, epochs, ...) that finetune takes on its command line and
 * compare in each line of its list file, and the objects made from them. */
#ifndef RECIPE_H
#define RECIPE_H
#include "common/flags/flags.h"
#include "common/backbone/weights.h"
#include "common/segment/mask_sets.h"
#include <peft/io.h>
#include <peft/peft.h>
#include <stdint.h>

/* The flags from batch to clip_norm are passed to peft_trainer_create as options of the same names. --trainer may list
 * them too (resolve_recipe). */
#define RECIPE_FLAGS(X) \
    X(method, "METHOD", "ept", "fine-tuning method; inspect --methods lists them") \
    X(options, "LIST", NULL, "options of the method, name=value,...; inspect --methods lists them") \
    X(head, "LIST", NULL, "options of the classifier, name=value,...: head, head_init, head_layers, head_width, " \
      "head_blocks, pool") \
    X(epochs, "N", "20", "number of passes through the training images") \
    X(batch, "N", "4", "images in one training step") \
    X(lr, "RATE", "1e-3", "largest learning rate of the schedule; ept needs a larger one than the default, 0.003 to " \
      "0.1 (docs/choosing.md)") \
    X(weight_decay, "RATE", "0.01", "weight decay of matrices (biases, norms and scales: none, unless --trainer " \
      "decay_on=all)") \
    X(optimizer, "adamw|sgd", "adamw", "rule of the updates") \
    X(schedule, "constant|cosine|linear|step|warmup_cosine|warmup_linear|warmup_cosine_full_period", "cosine", \
      "learning rate schedule") \
    X(warmup, "N", NULL, "steps in which the learning rate rises to --lr") \
    X(loss, "ce|focal|soft_ce|bce|bce_sum|focal_bce|dice|ce_dice|dice_multilabel|bce_dice", NULL, \
      "loss function, see inspect --trainer; without it ce for one label per image, bce for several, ce_dice for " \
      "masks") \
    X(clip_norm, "NORM", NULL, "clip gradients to this norm") \
    X(trainer, "LIST", NULL, "further training options, name=value,...; inspect --trainer lists them") \
    X(balance, "sampler|weights", NULL, "classes of different sizes: sampler draws each equally often, weights " \
      "weighs the loss by class (with several labels, their positives)") \
    BACKBONE_OPTIONS(X) \
    X(image_size, "N|HxW", NULL, "side in pixels to which images are resized, or height and width; without it the " \
      "backbone's") \
    X(preprocess, "LIST", NULL, "preprocessing settings that replace the backbone's, name=value,... (inspect " \
      "--preprocess lists them); training images are also flipped (flip=0.5)")
#define RECIPE_ID(name, argument, value, help) recipe_##name,
enum { RECIPE_FLAGS(RECIPE_ID) recipe_flags };

/* Moves the options of --trainer that have a flag of their own to that flag: "--trainer lr=0.1" becomes "--lr 0.1". A
 * given value replaces a default, and one in a list file's line replaces one of the command line; "--lr 0.1 --trainer
 * lr=0.2" in the same place is an error. Copies all values, so the caller may free the text they were parsed from. */
void resolve_recipe(flag *recipe);
/* Ends the program unless epochs and batch are whole numbers from 1 on, and warmup from 0 on.
 * Part of resolve_recipe. */
void check_recipe_numbers(const flag *recipe);

typedef struct training_run {
    /* set by the caller */
    const char *backbone;                                     /* path */
    const char *start;                                        /* path of a trained model whose adapter the training
                                                                 begins with; NULL: a new adapter */
    peft_context *io_ctx;                                     /* of data sets, transform and loader; apart from ctx,
                                                                 whose memory figures are to cover the network only */
    peft_dataset *train;
    mask_pixels *pixels;                                      /* of the masks of `train`, once they are counted, for
                                                                 weights by class; NULL: they are not kept */
    uint64_t seed;                                            /* of initial values, sample order and augmentation */
    int threads, loader_threads;                              /* threads 0: all cores; loader_threads 0: no extra */
    /* made by build_training; free_training frees them, but not io_ctx and train */
    peft_context *ctx;
    peft_backbone *vit;
    peft_model *model;
    peft_trainer *trainer;
    peft_transform *transform;
    peft_loader *loader;
    const char *transform_origin;                             /* "as the backbone's files say": for messages */
    int64_t epochs;
    double planned_bytes;                                     /* memory before the trainer plus the trainer's plan */
} training_run;

/* Makes the objects. With `start`, the adapter is that of the trained model, and so is the classifier if it has as many
 * classes as the data set, of the same names; images are prepared as in its training. The method of the recipe must be
 * the adapter's, unless it is a default. recipe: [recipe_flags], after resolve_recipe. The model gets the head that the
 * method requires, if it requires one; a method with an option "classes" gets the number of the data set's classes. */
void build_training(training_run *t, const flag *recipe);
void free_training(training_run *t);
/* Makes context, backbone, transform and loader alone, for what is not trained; free_training frees them. */
void build_backbone(training_run *t, const flag *recipe);
/* Another training on the same backbone, with the same transform and recipe, of a new model with this adapter. `other`
 * may have a trainer and keeps all objects that both use. */
training_run training_beside(const training_run *other, const flag *recipe, peft_dataset *train,
                             peft_adapter *adapter);
void free_training_beside(training_run *t);
/* As training_beside, with a new adapter of the recipe and a given loader of the images, which free_training_beside
 * frees unless it was set to NULL before. */
training_run training_with(const training_run *other, const flag *recipe, peft_dataset *train, peft_loader *loader);
/* As training_with, of a given model on the same backbone, which free_training_beside frees. */
training_run training_of_model(const training_run *other, const flag *recipe, peft_dataset *train, peft_loader *loader,
                               peft_model *model);
/* The loader of a training on the images of `train`, with the seed, transform and threads of t. */
peft_loader *training_loader(const training_run *t, const flag *recipe, peft_dataset *train);
/* Ends the program if the adapter of the recipe `next` cannot be made, or not be attached beside that of t, which was
 * made by `recipe`. */
void check_next_stage(const training_run *t, const flag *recipe, const flag *next);
/* The next stage of t: attaches the adapter of this recipe to the model as well, and makes a new trainer, which begins
 * with the moments of the parameters trained so far; state: file of the training state of the stage before. */
void begin_next_stage(training_run *t, const flag *recipe, const char *state);
#endif
