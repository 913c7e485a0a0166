/* SPDX-License-Identifier: Apache-2.0
 * phantom.h -- functions shared by the files of the phantom generator: smooth random fields, the tissue model, and
 * the simulated scan.
 *
 * Positions are fractions of the picture's side: u to the right from 0 to 1, v downward from 0 (the probe) to 1. The
 * anatomy does not depend on the number of pixels, so a phantom differs between values of --side only in its speckle.
 * Echo levels are in decibels; glandular tissue has 0. */
#ifndef PHANTOM_H
#define PHANTOM_H
#include "common/corruption/random.h"
#include <peft/context.h>
#include <stdint.h>
#include <stdio.h>

enum { STREAM_TRAITS = 1, STREAM_TEXTURE, STREAM_SPECKLE, STREAM_SCANNER };   /* purposes of streams (random.h) */

/* Value at (x, y) of a smooth random field (gradient noise) selected by key. Its features are about 1 wide; mean 0,
 * standard deviation 0.28, rarely beyond +-1. */
double smooth_noise(uint64_t key, double x, double y);

/* Maps [side, side]. level: echo strength of the tissue, in dB; loss: attenuation of the sound on its way there and
 * back, relative to the gain's correction, in dB; mask: 1 in a benign-like lesion, 2 in a malignant-like one, 0
 * elsewhere, also in the nodules of normal-like tissue. */
typedef struct tissue { int64_t side; double *level, *loss; uint8_t *mask; } tissue;

enum { PHANTOM_NORMAL = 2, PHANTOM_CLASSES = 3 };             /* the class without lesions, and how many there are */
extern const char *const phantom_class[PHANTOM_CLASSES];

/* Fills t with the index-th random anatomy of a class. difficulty scales how much traits vary around the class's
 * mean. */
void make_tissue(tissue *t, uint64_t seed, int64_t class, int64_t index, double difficulty);
/* Properties of a scanner. range: decibels between grey 0 and grey 255; noise_level: of the receiver at v = 0, in dB;
 * blur: factor of the point spread function's widths; bias: standard deviation of a smooth gain error over the picture
 * that bias_key selects, in dB. */
typedef struct scanner { double range, noise_level, blur, bias; uint64_t bias_key; } scanner;
/* The scanner that differs by `shift` from the reference (0); its gain error is that of one picture. */
scanner make_scanner(double shift, uint64_t seed, int64_t class, int64_t index);
/* Simulates the scan of t: fills grey [side, side]. work: scratch memory for 4 * side * side values. */
void scan_tissue(const tissue *t, const scanner *c, stream *s, double *work, uint8_t *grey);
/* Which phantom a picture is: number `index` of `images` of a class. */
typedef struct phantom_place { uint64_t seed; int64_t class, index, images; } phantom_place;
/* The number, from 1, of the picture among those of all classes; its DICOM file is IMnnnnn. */
long long file_number(const phantom_place *p);
/* Writes grey [side, side] to folder/IMnnnnn, a DICOM file with 12 bits and a window, and a row "file,class,patient" to
 * the table, with `prefix` before the file's name. Two successive pictures of a class are of one patient. */
void save_dicom(const char *folder, const phantom_place *p, const uint8_t *grey, int64_t side, FILE *table,
                const char *prefix);
/* Writes grey [side, side] to folder/class/nnnn.png. */
void save_png(peft_context *ctx, const char *folder, const phantom_place *p, const uint8_t *grey, int64_t side);
/* Writes mask [side, side] as a PNG with a palette to path. */
void save_mask(peft_context *ctx, const char *path, const uint8_t *mask, int64_t side);
#endif
