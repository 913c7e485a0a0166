/* SPDX-License-Identifier: Apache-2.0
 * prediction_sets.h -- for each image the classes that cannot be excluded, so that the set holds the true class with a
 * stated probability (peft/conformal.h: split conformal prediction, score lac). */
#ifndef PREDICTION_SETS_H
#define PREDICTION_SETS_H
#include <peft/peft.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct set_rule {
    int64_t classes;
    double coverage;                                          /* 0.9: a set holds the true class so often; 0: no sets */
    bool by_class;                                            /* in each class, not in the mean over classes alone */
    double *quantiles;                                        /* [classes] */
    char *set;                                                /* the calibration images */
} set_rule;
/* The rule of the text of --conformal, "0.9" or "0.9,class", without quantiles; another text ends the program. */
set_rule parse_set_rule(const char *text, int64_t classes);
/* Finds the quantiles from probabilities [n,classes] and labels [n] of calibration images; set: their name. */
void     fit_sets(peft_context *ctx, set_rule *r, const double *probabilities, const int64_t *labels, int64_t n,
                  const char *set);
/* As of a decision: the note of a model, "" without sets, to be freed; and the rule of a note (NULL or "": none). */
char    *set_note(const set_rule *r);
set_rule read_set_rule(const char *note, int64_t classes);
void     free_set_rule(set_rule *r);
/* chosen [classes]: 1 for the classes of the set of probabilities [classes], at least one, else 0. */
void     find_set(peft_context *ctx, const set_rule *r, const double *probabilities, double *chosen);
/* The name of the column of sets: "set_90". */
typedef struct set_name { char text[32]; } set_name;
set_name name_of_sets(const set_rule *r);
#endif
