/* SPDX-License-Identifier: Apache-2.0
 * pairs.h -- what two methods predicted of the same held-out images, for intervals and tests by <peft/statistics.h>. */
#ifndef PAIRS_H
#define PAIRS_H
#include "report/report_study.h"
#include <peft/statistics.h>

/* Whether all finished runs of the study know patients. */
bool study_has_patients(const study *s);
const char *drawn_units(const study *s);                      /* what a bootstrap draws: "patients", "images", .. */
const char *unit_of_distances(const study *s);                /* of masks: "mm", or "px" if no case has those */
/* Whether run i of both methods is done, with the same images. */
bool comparable(const method *a, const method *b, int64_t i);

/* The images of all runs that both have finished: probabilities of their classes, or of masks Dice of the classes
 * without the background. */
typedef struct pairs {
    int64_t n, classes, runs, groups;                         /* groups: of all runs together */
    double *best, *other;                                     /* [n, classes] */
    int64_t *label, *group;                                   /* [n]; group: equal for the same patient, or image */
} pairs;
/* patients: images of a patient are a group; an image of no known patient is one of its own. best and other may be the
 * same method. */
pairs find_pairs(const study *s, const method *best, const method *other, bool patients);
void  free_pairs(pairs *p);
/* How far the judged figure of `other` in run i, which must be comparable, lies above that of best: of masks over the
 * images and classes for which both have a Dice, as in tests of pairs. */
double run_difference(const study *s, const method *best, const method *other, int64_t i);
/* The samples of p.other; differs: with those of p.best, for the difference from them. */
peft_samples samples_of_pairs(const study *s, const pairs *p, bool differs);
#endif
