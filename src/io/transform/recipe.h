/* SPDX-License-Identifier: Apache-2.0
 * recipe.h -- io_recipe: the settings of a transform (recipe.def) as a struct, read from text and printed as text. The
 * steps of a transform read it. */
#ifndef IO_RECIPE_H
#define IO_RECIPE_H
#include <math.h>
#include "io/image/resize.h"

/* The values of settings that are given by a word: resize, crop_offset, alpha, pad_mode and erase_fill. Each value is
 * an index into the setting's words, in the order of recipe.def. */
enum { IO_RESIZE_SQUASH, IO_RESIZE_SHORTER, IO_RESIZE_NONE, IO_RESIZE_LONGEST, IO_RESIZE_LONGEST_MEAN };
enum { IO_CROP_ROUND, IO_CROP_FLOOR };
enum { IO_ALPHA_DROP, IO_ALPHA_WHITE };
enum { IO_PAD_ZERO, IO_PAD_REFLECT };
enum { IO_ERASE_MEAN, IO_ERASE_RANDOM, IO_ERASE_UNIFORM };

/* The kinds of settings in recipe.def: the C type of each, and its letter in a peft_opt_key (peft/sys/option.h). The
 * WORD of interpolation is an io_filter, that of resize_order an io_order. The SIDE of resize has the index of a word,
 * or word -1 and a size in pixels: resize=HxW gives height and width, resize=N height N and width 0. size=N gives equal
 * height and width. */
typedef int64_t  io_setting_WHOLE;
typedef double   io_setting_REAL;
typedef double   io_setting_PAIR[2];
typedef double   io_setting_TRIPLE[3];
typedef bool     io_setting_FLAG;
typedef int      io_setting_WORD;
typedef peft_opt_side  io_setting_SIDE;
typedef peft_opt_range io_setting_RANGE;
enum { IO_LETTER_WHOLE = 'i', IO_LETTER_REAL = 'f', IO_LETTER_PAIR = '2', IO_LETTER_TRIPLE = '3', IO_LETTER_FLAG = 'b',
       IO_LETTER_WORD = 'c', IO_LETTER_SIDE = 'x', IO_LETTER_RANGE = 'r' };

typedef struct io_recipe {
#define IO_SETTING(kind, name, low, high, words, fallback, help) io_setting_##kind name;
#include "io/transform/recipe.def"
#undef IO_SETTING
} io_recipe;

/* The side of the resized picture whose centre of `side` pixels is cropped, where crop_pct decides. */
static inline int64_t io_before_crop(const io_recipe *r, int64_t side)
{
    return (int64_t)floor((double)side / r->crop_pct);
}

/* Sets *r to the defaults, then overwrites the settings that base gives, then those that text gives. Both may be NULL.
 * PEFT_E_OPTION: a setting that is unknown, out of bounds, or does not go with another. */
peft_status io_recipe_parse(const char *base, const char *text, io_recipe *r);
/* Prints all settings, in the order of recipe.def, to a text in memory of ctx, which the caller frees. */
peft_status io_recipe_print(peft_context *ctx, const io_recipe *r, char **text);

/* The network input for a sample of channel c: (sample / largest - mean) / std, computed in double and rounded once.
 * largest: the largest sample of the type, such as 255. */
static inline float io_normalise(const io_recipe *r, int c, double sample, double largest)
{
    return (float)((sample / largest - r->mean[c]) / r->std[c]);
}
#endif
