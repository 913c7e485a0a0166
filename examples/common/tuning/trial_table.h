/* SPDX-License-Identifier: Apache-2.0
 * trial_table.h -- a search whose trials are kept in a CSV file, one row each, so that a search that was stopped
 * continues without judging a candidate again. Several processes may append to one file. */
#ifndef TRIAL_TABLE_H
#define TRIAL_TABLE_H
#include "search.h"
#include "tuned_recipe.h"

/* Begins the file with its heading, in place of an existing one. keep: leaves one of this program as it is, less a last
 * line that was not finished; ends the program if it is none, or if a row is damaged or doubled. */
void start_trial_table(const char *path, bool keep);

typedef struct tuning {
    const char *table;                                        /* path of the file */
    const char *search, *label;                               /* identifies this search in the file; for readers */
    const grid *candidates;
    const flag *recipe;                                       /* without the candidates' values */
    const char *metric;                                       /* name of the trials' value */
    trial_function judge;
    void *user;                                               /* of judge */
    bool print;                                               /* a line for each trial */
} tuning;
/* Runs the search and returns the best candidate; last (may be NULL) [candidates]: how each was judged at last. Ends
 * the program if all candidates diverge. how: the flag --tune-search. */
int64_t choose_candidate(const tuning *t, const char *how, trial *last);
int     kept_fraction(const char *how);                       /* for plan_search; an unknown name ends the program */
#endif
