/* SPDX-License-Identifier: Apache-2.0
 * decision.h -- how probabilities become decisions: with one label for each image the most probable class, or of two
 * classes a threshold for one of them; with several labels a threshold for each. */
#ifndef DECISION_H
#define DECISION_H
#include <peft/peft.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct decision {
    int64_t classes;
    bool multilabel;                                          /* several labels for an image */
    double *thresholds;                                       /* [classes]; NULL: the most probable class */
    int64_t positive;                                         /* one label, with thresholds: the class that is decided
                                                               * where its probability is at least its threshold; the
                                                               * other of the two classes is decided elsewhere */
    char *rule;                                               /* "youden", "0.3": as --threshold has it; NULL: none */
    char *set;                                                /* the images they were chosen on; NULL: on none */
    bool stored;                                              /* the model has it as a note (read_decision) */
} decision;
/* The most probable class, or of several labels those with a probability of at least 0.5. */
decision plain_decision(int64_t classes, bool multilabel);
void     free_decision(decision *d);
/* decided [n,classes]: 1 for classes that are decided, else 0; probabilities [n,classes]. */
void decide(const decision *d, const double *probabilities, int64_t n, double *decided);
/* One label for each image: its class, of probabilities [classes]. */
int64_t decided_class(const decision *d, const double *probabilities);
/* What decides: "pneumonia>=0.31", of several labels "edema>=0.3|mass>=0.5"; to be freed. names [classes]. */
char *decision_text(const decision *d, const char *const *names, char decimal);
/* The classes with chosen[c] not 0, "edema|mass"; to be freed. */
char *class_list(const double *chosen, const char *const *names, int64_t classes);

/* --- decision_note.c --- */
/* The text for a note of the model; "" if the most probable class decides. To be freed. */
char *decision_note(const decision *d);
/* The decision of a note (NULL or "": plain_decision). A text that is none ends the program. */
decision read_decision(const char *note, int64_t classes, bool multilabel);
/* Replaces thresholds by those of text: "0.3" (of all labels, or of the positive class, without one the second), or
 * NAME=0.3; of several labels NAME=0.3,NAME=0.1,.., each once, with a number for the others before them or without.
 * Another text ends the program. flag: its name, for messages. Of other numbers of classes than two, one label for each
 * image has no threshold, and the program ends. */
void set_thresholds(decision *d, const char *text, const char *const *names, const char *flag);
#endif
