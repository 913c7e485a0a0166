/* SPDX-License-Identifier: Apache-2.0
 * shown_images.c -- chooses right, wrong and uncertain predictions of a run (shown_images.h). */
#include "common/figures/shown_images.h"
#include "common/program/errors.h"
#include <stdbool.h>
#include <stdlib.h>

int64_t most_probable(const double *score, int64_t classes)
{
    int64_t best = 0;
    for (int64_t c = 1; c < classes; c++)
        if (score[c] > score[best]) best = c;
    return best;
}

static const double *scores_of(const predictions *p, int64_t i) { return p->score + i * p->classes; }

static int64_t predicted(const predictions *p, int64_t i) { return most_probable(scores_of(p, i), p->classes); }

outcome outcome_of(const predictions *p, int64_t image)
{
    return predicted(p, image) == p->label[image] ? RIGHT : WRONG;
}

/* The probability of the predicted class of image i. */
static double confidence(const predictions *p, int64_t i) { return scores_of(p, i)[predicted(p, i)]; }

/* The largest probability of image i minus the second largest one. */
static double margin(const predictions *p, int64_t i)
{
    const int64_t first = predicted(p, i);
    double second = 0;
    for (int64_t c = 0; c < p->classes; c++)
        if (c != first && scores_of(p, i)[c] > second) second = scores_of(p, i)[c];
    return confidence(p, i) - second;
}

/* Should image a be chosen before b? taken: of each class, the images that were chosen. */
static bool comes_before(const predictions *p, outcome wanted, const int64_t *taken, int64_t a, int64_t b)
{
    const int64_t difference = taken[p->label[a]] - taken[p->label[b]];
    if (wanted == UNCERTAIN) return margin(p, a) < margin(p, b);
    return difference < 0 || (!difference && confidence(p, a) > confidence(p, b));
}

int64_t choose_shown(const predictions *p, outcome wanted, int64_t *out)
{
    if (wanted == UNCERTAIN && p->classes < 2) return 0;
    int64_t n = 0, *taken = check_alloc(calloc((size_t)p->classes, sizeof *taken));       /* chosen images of a class */
    bool *used = check_alloc(calloc((size_t)p->images, sizeof *used));
    for (; n < MOST_SHOWN; n++) {
        int64_t best = -1;
        for (int64_t i = 0; i < p->images; i++) {
            if (used[i] || (wanted != UNCERTAIN && outcome_of(p, i) != wanted)) continue;
            if (best < 0 || comes_before(p, wanted, taken, i, best)) best = i;
        }
        if (best < 0) break;
        used[best] = true;
        taken[p->label[best]]++;
        out[n] = best;
    }
    free(taken);
    free(used);
    return n;
}
