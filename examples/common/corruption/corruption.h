/* SPDX-License-Identifier: Apache-2.0
 * corruption.h -- corruptions of images, to measure how a model copes with pictures that differ from its training
 * images: five kinds at three strengths. They belong to an experiment and not to the preprocessing of a model, so that
 * they are functions of images here and no steps of a transform, which model files store and training repeats.
 *
 * In the formulas x are samples from 0 to 1, s is the number of the strength; results are cut off at 0 and 1. Lengths
 * are relative to a shorter side of 32 pixels.
 *
 *     gaussian_noise  x + s N(0, 1)                                      s = 0.04, 0.08, 0.12
 *     gaussian_blur   convolved with a Gaussian of sigma s pixels        s = 0.6, 0.9, 1.2
 *     contrast        m + s (x - m), m the mean of the picture           s = 0.75, 0.6, 0.45
 *     brightness      x + s                                              s = 0.15, 0.3, 0.45
 *     pixelate        means of blocks, sides cut into s * side parts     s = 0.7, 0.55, 0.4 */
#ifndef CORRUPTION_H
#define CORRUPTION_H
#include <peft/io.h>
#include <stdint.h>

enum { CORRUPTIONS = 5, CORRUPTION_STRENGTHS = 3 };
extern const char *const corruption_name[CORRUPTIONS];

/* Reads "contrast:3" or "none" (*strength 0). Any other text ends the program; `option` is its name for the message. */
void parse_corruption(const char *text, const char *option, int *corruption, int *strength);
/* A corrupted copy of an image of unsigned samples of 8 or 16 bits or of floats from 0 to 1; any other image, and an
 * error, end the program. strength: 1 (weak) to 3. Equal seeds and sample numbers give equal noise. */
peft_image *corrupt_image(peft_context *ctx, const peft_image *im, int corruption, int strength, uint64_t seed,
                          int64_t sample);
#endif
