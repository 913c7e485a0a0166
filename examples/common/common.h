/* SPDX-License-Identifier: Apache-2.0
 * common.h -- what the example programs share: failing, flags, opening any data set, judging a model on one. */
#ifndef COMMON_H
#define COMMON_H
#include <peft/io.h>
#include <peft/peft.h>
#include <stdbool.h>

extern const char *program_name;                              /* set first in main */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));    /* status 1 */
void must(peft_status s);                                     /* fails with the library's last message */
void *need(void *memory);                                     /* fails on NULL */
double seconds_now(void);

/* A command line from a table. name: - stands for _ on the command line; argument: NULL for a switch, whose value
 * becomes "1"; value: the default, NULL for none. --help prints usage and the table. Returns the first word that is no
 * flag, as getopt does. */
typedef struct flag { const char *name, *argument, *value, *help; } flag;
int     read_flags(flag *flags, int count, const char *usage, int argc, char **argv);
int64_t flag_count(const flag *f);                            /* its value, a whole number >= 0 */
peft_options *options_from(peft_context *ctx, const char *text);         /* text "a=1,b=2" or NULL */

/* Training and test sets, drawn by seed. data, test: a folder of class folders (or of the splits "train" and "test"
 * of these), a .zip of such a folder, an .npz of MedMNIST, or a list file. test NULL: the split "test" of data where it
 * has one, else what training leaves. shots: training images a class (0: all; without a test set 4 of 5). tests: test
 * images a class (0: all). */
void draw_sets(const char *data, const char *test, int64_t shots, int64_t tests, uint64_t seed,
               peft_dataset **train_set, peft_dataset **test_set);
char *class_names(const peft_dataset *d);                     /* one a line; to be freed */

/* Class probabilities of one picture. link: "softmax" or "sigmoid". */
void predict_image(peft_context *ctx, peft_session *s, const peft_transform *t, const peft_image *im, const char *link,
                   int64_t classes, float *probabilities);
/* Those of every sample, [count, classes]; to be freed. */
double *predict_set(peft_context *ctx, peft_session *s, const peft_dataset *d, const peft_transform *t);
/* The figures of merit of these. NaN: not for labels of this kind (map is for several labels a sample, the accuracies
 * for one), or undefined. */
typedef struct figures { int64_t images; double accuracy, balanced_accuracy, f1_macro, auroc_macro, map; } figures;
void judge_scores(peft_context *ctx, const double *scores, const peft_dataset *d, figures *f);
/* Predicted, judged and printed, a figure a line. */
void print_figures(peft_context *ctx, peft_session *s, const peft_dataset *d, const peft_transform *t);
#endif
