/* SPDX-License-Identifier: Apache-2.0
 * search.h -- searches the best of several candidates, whatever they are: a function of the caller judges one. Either
 * all candidates are judged after their whole training, or by successive halving (Jamieson and Talwalkar, AISTATS
 * 2016): all are judged after a part of their training, the better ones go on and are judged after a longer part, and
 * so on, until the last ones are judged after their whole training. */
#ifndef SEARCH_H
#define SEARCH_H
#include <stdbool.h>
#include <stdint.h>

/* A round judges so many candidates after this share (0 to 1) of their training. */
typedef struct search_round { int64_t candidates; double share; } search_round;
enum { most_rounds = 40 };
typedef struct search_plan { int rounds; search_round round[most_rounds]; } search_plan;
/* keep 1: one round of all candidates. keep 2 or 3: a half or a third of the candidates, rounded up, goes on to the
 * next round, until one would be left; each round trains 2 or 3 times as long as the one before, and the last round
 * wholly. */
search_plan plan_search(int64_t candidates, int keep);
/* The work of the plan in whole trainings, if a candidate goes on from where it was judged before. */
double plan_cost(const search_plan *p);
int64_t share_of_epochs(double share, int64_t epochs);        /* rounded to the nearest, at least 1 */

/* How a candidate was judged. value: larger is better; NaN: undefined. loss: decides between equal values. share: of
 * the training, after which it was judged; run_search sets it. */
typedef struct trial { bool diverged; double value, loss, share; } trial;
/* Is a better than b? A candidate that did not diverge is better than one that did, a value better than none, then the
 * larger value, then the lower loss. */
bool better_trial(const trial *a, const trial *b);
typedef trial (*trial_function)(int64_t candidate, double share, void *user);
/* Judges candidates as planned, in the order of their numbers. Returns the best one of the last round; of equal ones
 * the first; -1: all candidates of a round diverged. last (may be NULL) [candidates of the first round]: how each was
 * judged at last. */
int64_t run_search(const search_plan *p, trial_function judge, void *user, trial *last);
#endif
