/* SPDX-License-Identifier: Apache-2.0
 * choice.h -- what --tune does in compare: in each run, settings of an entry are chosen by folds of the draw's training
 * images, before it is trained with the chosen ones. Test images take no part. */
#ifndef CHOICE_H
#define CHOICE_H
#include "common/folds/folds.h"
#include "common/tuning/trial_table.h"
#include "compare/compare_study.h"

/* choice.c: sets the candidates of an entry from its flags, which it checks. */
void  read_candidates(entry *e);
/* The path of the table of trials, to be freed: that of --csv with .tune.csv in place of .csv; NULL: no entry has
 * --tune. */
char *path_of_trials(const study *s, const char *csv);
/* Begins the table, and removes temporary files that an earlier study left of the same runs; resume: keeps them and
 * continues the table. */
void  begin_trials(const study *s, bool resume);
/* Checks the candidates of an entry; t was built for it, on the first draw, and loses its trainer. */
void  check_choice(training_run *t, const entry *e);
void  print_choices(const study *s);                          /* how often which settings were chosen */
/* Makes the recipe [recipe_flags] of run i, to be freed by free_tuned: that of its entry, with the values chosen among
 * its candidates, which become s->chosen[i]. t: the draw of the run, not built. */
void  choose_settings(const study *s, int64_t i, const training_run *t, flag *recipe);
/* probe_choice.c: the same of a probe, whose training images have these features. */
void  choose_probe(const study *s, int64_t i, const training_run *t, const features *f, flag *recipe);
void  check_probe_candidates(const training_run *t, const entry *e, const folds *parts);

/* run_search.c, for both: how run i searches; the caller sets judge and user. The search's name is to be freed. */
void  prepare_search(const study *s, int64_t i, const peft_dataset *train, tuning *t);
/* Runs the search, stores what was chosen, and makes the recipe. */
void  search_settings(const study *s, int64_t i, const tuning *t, flag *recipe);
#endif
