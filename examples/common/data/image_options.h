/* SPDX-License-Identifier: Apache-2.0
 * image_options.h -- lists of settings, "slice=3,window=none" (syntax: peft/options.h), one over another: the image
 * options of a command over those of a model. Settings keep their text, blanks and quotes. */
#ifndef IMAGE_OPTIONS_H
#define IMAGE_OPTIONS_H
#include <stdbool.h>
#include <stddef.h>

/* Does this error of peft_image_load say that the file holds several slices, of which no option chooses one? */
bool asks_for_slice(const char *error);
/* The setting of this name, of `length` characters, in text (NULL: no settings); NULL: there is none. */
const char *find_image_option(const char *text, const char *name, size_t length);
/* The settings of base whose names given does not have, to be freed. Both may be NULL: no settings. */
char *kept_image_options(const char *base, const char *given);
/* Those, and behind them all of given; to be freed. */
char *merge_image_options(const char *base, const char *given);
#endif
