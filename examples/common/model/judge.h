/* SPDX-License-Identifier: Apache-2.0
 * judge.h -- predictions of a model for images, and their accuracy. */
#ifndef JUDGE_H
#define JUDGE_H
#include <peft/io.h>
#include <peft/peft.h>
#include <stdint.h>

/* Class probabilities of one picture. link: "softmax" or "sigmoid". */
void predict_image(peft_context *ctx, peft_session *s, const peft_transform *t, const peft_image *im, const char *link,
                   int64_t classes, float *probabilities);
/* The same, but a failure is returned. */
peft_status try_predict_image(peft_context *ctx, peft_session *s, const peft_transform *t, const peft_image *im,
                              const char *link, int64_t classes, float *probabilities);
/* Those of every sample, [count, classes]; to be freed. NULL: stop_requested came. */
double *predict_set(peft_context *ctx, peft_session *s, const peft_dataset *d, const peft_transform *t);
/* The figures of merit of these. NaN: not for labels of this kind (map is for several labels a sample, the accuracies
 * for one), or undefined. */
typedef struct figures { int64_t images; double accuracy, balanced_accuracy, f1_macro, auroc_macro, map; } figures;
void judge_scores(peft_context *ctx, const double *scores, const peft_dataset *d, figures *f);
/* Printed: the confusion matrix (one label a sample), sensitivity and specificity of each class with 95 % intervals
 * after Wilson (1927), and the figures, one a line. Several labels a sample: yes from a probability of 0.5 on. */
void print_figures(peft_context *ctx, const double *scores, const peft_dataset *d);
#endif
