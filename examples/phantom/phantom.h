/* SPDX-License-Identifier: Apache-2.0
 * phantom.h -- what the phantom generator's files share: random numbers, and the maps between anatomy and picture.
 *
 * Places are given as parts of the picture's side: u across from 0 (left) to 1, v down from 0 (the probe) to 1. What
 * stands where is drawn without regard to the number of pixels, so a phantom is the same at every --side but for its
 * speckle. Levels are decibels, 0 for the glandular tissue. */
#ifndef PHANTOM_H
#define PHANTOM_H
#include <stdint.h>

/* A counter-based generator (splitmix64): its numbers depend on what keyed it and on their index alone. */
typedef struct stream { uint64_t state; } stream;
enum { STREAM_TRAITS = 1, STREAM_TEXTURE, STREAM_SPECKLE };   /* purposes */

stream stream_of(int purpose, uint64_t seed, int64_t class, int64_t index);
uint64_t next_word(stream *s);
double next_between(stream *s, double low, double high);      /* uniform in [low, high) */
void next_normals(stream *s, double pair[2]);                 /* two standard normal numbers */
/* A smooth random field with features of about the size of 1; mean 0, standard deviation 0.28, seldom beyond 1. */
double smooth_noise(uint64_t key, double x, double y);

/* side x side values each. level: strength of the echo; loss: what the way there and back has taken from it. */
typedef struct tissue { int64_t side; double *level, *loss; } tissue;

enum { PHANTOM_CLASSES = 3 };
extern const char *const phantom_class[PHANTOM_CLASSES];

/* Draws anatomy number index of a class. difficulty scales how far each trait strays from its class's mean. */
void lay_tissue(tissue *t, uint64_t seed, int64_t class, int64_t index, double difficulty);
/* What the scanner shows of it: grey [side, side]. work: 4 side^2 values. */
void scan_tissue(const tissue *t, stream *s, double *work, uint8_t *grey);
#endif
