/* SPDX-License-Identifier: Apache-2.0
 * phantom.h -- functions shared by the files of the phantom generator: random numbers, the tissue model, and the
 * simulated scan.
 *
 * Positions are fractions of the picture's side: u to the right from 0 to 1, v downward from 0 (the probe) to 1. The
 * anatomy does not depend on the number of pixels, so a phantom differs between values of --side only in its speckle.
 * Echo levels are in decibels; glandular tissue has 0. */
#ifndef PHANTOM_H
#define PHANTOM_H
#include <stdint.h>

/* A stream of random numbers (splitmix64), determined by purpose, seed, class and index of the picture. */
typedef struct stream { uint64_t state; } stream;
enum { STREAM_TRAITS = 1, STREAM_TEXTURE, STREAM_SPECKLE };   /* purposes */

stream make_stream(int purpose, uint64_t seed, int64_t class, int64_t index);
uint64_t next_word(stream *s);
double next_between(stream *s, double low, double high);      /* uniform in [low, high) */
void next_normals(stream *s, double pair[2]);                 /* two standard normal numbers */
/* Value at (x, y) of a smooth random field (gradient noise) selected by key. Its features are about 1 wide; mean 0,
 * standard deviation 0.28, rarely beyond +-1. */
double smooth_noise(uint64_t key, double x, double y);

/* Maps [side, side] in dB. level: echo strength of the tissue; loss: attenuation of the sound on its way there and
 * back, relative to the gain's correction. */
typedef struct tissue { int64_t side; double *level, *loss; } tissue;

enum { PHANTOM_CLASSES = 3 };
extern const char *const phantom_class[PHANTOM_CLASSES];

/* Fills t with the index-th random anatomy of a class. difficulty scales how much traits vary around the class's
 * mean. */
void make_tissue(tissue *t, uint64_t seed, int64_t class, int64_t index, double difficulty);
/* Simulates the scan of t: fills grey [side, side]. work: scratch memory for 4 * side * side values. */
void scan_tissue(const tissue *t, stream *s, double *work, uint8_t *grey);
#endif
