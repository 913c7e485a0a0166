/* SPDX-License-Identifier: Apache-2.0
 * preprocess_help.c -- see preprocess_help.h; <peft/io.h> has the exact definitions. */
#include "preprocess_help.h"
#include <stddef.h>
#include <string.h>

static const struct { const char *word, *help; } table[] = {
    { "size", "side of the network's input in pixels" },
    { "resize", "squash (both sides), shorter (then the centre), none, N or HxW in pixels" },
    { "crop_pct", "the crop's part of the resized side, 0 to 1 (squash, shorter)" },
    { "interpolation", "nearest, box, bilinear, hamming, bicubic or lanczos" },
    { "grey", "true: colour becomes grey first" },
    { "mean", "subtracted; samples are 0 to 1; red:green:blue, or one number" },
    { "std", "divided by, after the mean" },
    { "random_crop", "training: true: a random box in place of resize" },
    { "scale", "training: its area as a part of the picture's, from:to" },
    { "ratio", "training: its width / height, from:to" },
    { "flip", "training: probability of a left-right flip" },
    { "brightness", "training: b draws a factor from 1 - b to 1 + b" },
    { "contrast", "training: the same" },
    { "saturation", "training: the same" },
    { "pad", "training: shifted by up to so many pixels" },
    { "pad_mode", "training: what comes in then: zero (black) or reflect" },
    { "erase", "training: probability that a box is overwritten" },
    { "erase_area", "training: its area as a part of the input's, from:to" },
    { "erase_ratio", "training: its height / width, from:to" },
    { "erase_fill", "training: by mean, random or uniform" },
    { "crop_offset", "of the centre crop at an odd surplus: round (timm) or floor (transformers)" },
    { "resize_order", "as in Pillow 13 (pillow13) or before 12.2 (pillow12)" },
    { "alpha", "transparency: drop, or white (laid on white)" },
    { "range", "lo:hi: these samples become 0 to 1, as 0:4095 for 12 bits; p1:p99: percentiles; full: all" },
};

const char *preprocess_help(const char *word)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!strcmp(table[i].word, word)) return table[i].help;
    return "";
}
