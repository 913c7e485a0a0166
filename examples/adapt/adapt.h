/* SPDX-License-Identifier: Apache-2.0
 * adapt.h -- parts of program adapt: images in memory, a run of one kind of adaptation, tables of many runs. */
#ifndef ADAPT_H
#define ADAPT_H
#include "common/cases/cases.h"
#include "common/model/loaded_model.h"
#include <stdint.h>

/* Images, ready for the network, in the order in which they are predicted. */
typedef struct image_set {
    int64_t count;
    float *pixels;                                            /* [count, 3, S, S] */
    int64_t *labels;                                          /* [count], classes of the model */
    int64_t *sample;                                          /* [count], their indices in the data set */
    bool by_case;                                             /* figures are of cases, by this rule */
    case_rule rule;
    case_list cases;                                          /* with by_case */
} image_set;
/* Which images are loaded: `count` drawn by `seed` (0: all, in an order drawn by seed), with this corruption
 * (common/corruption; strength 0: none). */
typedef struct image_choice { int64_t count; uint64_t seed; int corruption, strength; } image_choice;

/* --- adapt_images.c --- */
/* The number of images that are loaded of d if `count` are asked for. */
int64_t   image_count(const peft_dataset *d, int64_t count);
/* Finds the cases of the images, whose figures are then by this rule. */
void      group_cases(image_set *s, const peft_dataset *d, case_rule rule);
/* The numbers of images or cases that figures are of, and of the label of number i. */
int64_t   judged_count(const image_set *s);
int64_t   judged_label(const image_set *s, int64_t i);
/* Loads images of d; their classes are found by name among those of the model. */
image_set load_images(const loaded_model *m, const peft_dataset *d, const image_choice *choice);
void      free_images(image_set *s);

/* --- adapt_run.c --- */
/* What a run found. seconds: computing time of all threads together for one image; bytes: planned memory. */
typedef struct outcome { double accuracy, balanced_accuracy, ece, nll, seconds, bytes; } outcome;
enum { ACCURACY, BALANCED_ACCURACY, ECE, NLL, SECONDS, BYTES, FIGURES };
extern const char *const figure_name[FIGURES];
double figure_of(const outcome *o, int figure);

/* Predicts the test images in order. kind: "none" (a session), or a kind of peft_adaptor with options behind it,
 * "tent,lr=0.01". batch: images in a call, unless the options give "batch". source: images for kinds that need
 * statistics of training images. scores: [count, classes], gets the probabilities of the images, or of the cases. An
 * error ends the program. */
outcome run_kind(const loaded_model *m, const char *kind, int64_t batch, const image_set *test, const image_set *source,
                 double *scores);

/* --- adapt_table.c --- */
/* Outcomes of all runs, [settings][seeds][kinds]. setting: a corruption with its strength; kinds: with options, the
 * first is "none". */
typedef struct study {
    const char **kind; int kinds;
    char **setting; int settings;
    int seeds;
    outcome *run;
} study;
static inline outcome *run_of(const study *s, int setting, int seed, int kind)
{
    return &s->run[(setting * s->seeds + seed) * s->kinds + kind];
}
/* Print tables for a page, in Markdown: kinds with their figures over all settings, and accuracies by setting. Of a
 * figure the mean over settings is taken for each seed, and the 95 % interval over the seeds by Student's t. */
void print_kinds(const study *s);
void print_settings(const study *s);
/* Writes a row of CSV for each run to path. */
void write_runs(const study *s, uint64_t first_seed, const char *path);
#endif
