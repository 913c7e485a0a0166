/* SPDX-License-Identifier: Apache-2.0
 * image_sides.h -- height and width of a network's images, and tensors of such images. */
#ifndef IMAGE_SIDES_H
#define IMAGE_SIDES_H
#include <peft/io.h>
#include <peft/peft.h>
#include <stdbool.h>
#include <stdint.h>

/* In pixels. Both 0: not given, or those of a file. */
typedef struct image_sides { int64_t height, width; } image_sides;
#define STORED_IMAGE_SIZE ((image_sides){ 0, 0 })

/* The sides of a text, "224" or "384x512" (height x width); 0 x 0 if it is NULL, or 0. Another text ends the program.
 * name: of the option that gave it, "--image-size". */
image_sides parse_sides(const char *value, const char *name);
image_sides backbone_sides(const peft_backbone *b);
image_sides transform_sides(const peft_transform *t);
bool        same_sides(image_sides a, image_sides b);
/* Writes "224", or "384x512", to text; returns text. */
enum { SIDES_TEXT = 48 };
const char *sides_text(char text[SIDES_TEXT], image_sides sides);

/* The floats of an image that t makes, 3 * height * width. */
int64_t      image_floats(const peft_transform *t);
/* A tensor of n such images, and one of n images that lie at data; the caller frees it. */
peft_tensor *new_images(peft_context *ctx, const peft_transform *t, int64_t n);
peft_tensor *images_over(peft_context *ctx, const peft_transform *t, int64_t n, float *data);
#endif
