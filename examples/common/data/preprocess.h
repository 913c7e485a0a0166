/* SPDX-License-Identifier: Apache-2.0
 * preprocess.h -- the transform from images to network input. Its settings are those stored with the backbone, except
 * those that --preprocess gives. */
#ifndef PREPROCESS_H
#define PREPROCESS_H
#include "common/backbone/image_sides.h"
#include <peft/io.h>
#include <peft/peft.h>
#include <stdint.h>

/* Settings that turn off every augmentation of a transform. */
extern const char no_augmentation[];

/* The sides of images from --image-size or from "size" in --preprocess (texts, may be NULL); STORED_IMAGE_SIZE if
 * neither is given. Two different sizes are an error. */
image_sides requested_size(const char *image_size, const char *preprocess);
/* The transform for training at the backbone's image size. changes: text of --preprocess (may be NULL), whose settings
 * replace those of the backbone; flip is 0.5 unless changes sets it. *origin: a phrase that says where the settings
 * come from. */
peft_transform *training_transform(peft_context *ctx, const peft_backbone *b, const char *changes,
                                   const char **origin);
/* Settings by which the network sees the whole image, whatever the backbone's are, unless changes (may be NULL) gives a
 * resize; to be freed. For models that give a class for each pixel. */
char *whole_image(const char *changes);
/* The same for predicting with a model whose file has no preprocessing: without flips, and with a warning if neither
 * the backbone's files nor changes give settings. */
peft_transform *inference_transform(peft_context *ctx, const peft_backbone *b, const char *changes);
/* The transform of `base`, the text of an earlier training's transform, for images of these sides. Settings in changes
 * (may be NULL) replace its own. */
peft_transform *continued_transform(peft_context *ctx, const char *base, image_sides sides, const char *changes);
#endif
