/* SPDX-License-Identifier: Apache-2.0
 * pretrain_flags.h -- the command-line options of pretrain. The defaults suit about 40 epochs of 50,000 images of 32 x
 * 32 pixels; so short a training gains nothing from strong augmentation. */
#ifndef PRETRAIN_FLAGS_H
#define PRETRAIN_FLAGS_H
#include "common/data/data.h"

/* The flags from batch to clip_norm are passed to peft_trainer_create as options of the same names. */
#define FLAGS(X) \
    DATA_FLAGS(X) \
    X(shots, "N", "0", "training images per class, drawn at random by --seed (0: all)") \
    X(test_per_class, "N", "0", "test images per class, drawn at random by --seed (0: all)") \
    X(model, "LIST", "image_size=32,patch=4,width=192,depth=6,heads=3,mlp=768", \
      "architecture, name=value,... (inspect --options lists the options of a random backbone)") \
    X(start, "FILE", NULL, "instead of --model: start from this network's weights, with a new classifier") \
    X(image_size, "N|HxW", "0", "with --start: image side in pixels; position embeddings are resampled for it (0: " \
      "that of the file)") \
    X(seed, "N", "1", "seed of the initial weights, the order of images and the augmentation") \
    X(epochs, "N", "40", "number of passes through the training images") \
    X(batch, "N", "64", "images in one training step") \
    X(accumulate, "N", "1", "steps whose mean gradient makes one update of the weights") \
    X(lr, "RATE", "5e-4", "largest learning rate of the schedule") \
    X(weight_decay, "RATE", "0.05", "weight decay of matrices (biases, norms, embeddings and tokens: none)") \
    X(label_smoothing, "FRACTION", "0.1", "label smoothing: this fraction of each target is spread over all classes") \
    X(clip_norm, "NORM", "1", "clip gradients to this norm (0: no clipping)") \
    X(warmup, "EPOCHS", "3", "epochs in which the learning rate rises; then it falls along a cosine") \
    X(mixup, "ALPHA", "0", "mixup: blend pairs of images with weights from Beta(ALPHA, ALPHA) (0: off)") \
    X(pad, "N", "4", "shift images at random by up to this many pixels") \
    X(jitter, "X", "0", "change brightness, contrast and saturation at random by up to this fraction") \
    X(erase, "P", "0", "random erasing: probability that a box of the image is overwritten") \
    X(preprocess, "LIST", "mean=0.485:0.456:0.406,std=0.229:0.224:0.225", \
      "preprocessing settings, name=value,...; inspect --preprocess lists them") \
    X(threads, "N", "0", "number of threads (0: one for each core)") \
    X(checkpoint, "FILE", "pretrain.state", "training state, saved after each epoch and on Ctrl-C; if it exists, " \
      "training continues from it") \
    X(save_every, "N", "0", "also save the training state every N updates (0: no)") \
    X(curve, "FILE", NULL, "learning curve: CSV file to which each epoch adds a row") \
    X(out, "FILE", "backbone.safetensors", "file for the trained network with its classifier") \
    X(force, NULL, NULL, "overwrite --out if it exists") \
    X(evaluate, "FILE", NULL, "do not train: print the test accuracy of this network")
enum { FLAGS(FLAG_ID) flags };                               /* flags: the number of flags (flags.h) */
#endif
