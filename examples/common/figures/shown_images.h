/* SPDX-License-Identifier: Apache-2.0
 * shown_images.h -- the choice of the held-out images that report shows and that compare --maps computes maps of: of
 * the predictions of one run some that are right, some that are wrong and some that are uncertain. */
#ifndef SHOWN_IMAGES_H
#define SHOWN_IMAGES_H
#include <stdint.h>

/* Of the prediction of an image. UNCERTAIN, of right and wrong ones: the two largest probabilities hardly differ. */
typedef enum outcome { WRONG, RIGHT, UNCERTAIN, OUTCOMES } outcome;
enum { MOST_SHOWN = 6 };                                      /* images of an outcome */

/* label [images]; score [images, classes]: probabilities. */
typedef struct predictions { int64_t images, classes; const int64_t *label; const double *score; } predictions;

int64_t most_probable(const double *score, int64_t classes);  /* the class; the first of equal ones */
outcome outcome_of(const predictions *p, int64_t image);      /* RIGHT or WRONG */
/* Chooses images of this outcome. Right and wrong ones with the true classes in turn: the next one is of a class of
 * which fewest were chosen, and of these the most confident. Uncertain ones by their margin; none of a single class.
 * Fills out [MOST_SHOWN] with numbers of images and returns how many there are. */
int64_t choose_shown(const predictions *p, outcome wanted, int64_t *out);
#endif
