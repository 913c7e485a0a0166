/* SPDX-License-Identifier: Apache-2.0
 * run_search.c -- the search of a run, whose candidates are judged by a function of the caller (choice.h). */
#include "common/folds/out_of_fold.h"
#include "common/program/errors.h"
#include "choice.h"
#include <stdlib.h>
#include <string.h>

void prepare_search(const study *s, int64_t i, const peft_dataset *train, tuning *t)
{
    const entry *e = entry_of(s, i);
    char *name;
    if (asprintf(&name, "%s-%llu-%llu", e->key, (unsigned long long)draw_seed(s, i),
                 (unsigned long long)run_seed(s, i)) < 0) fail("out of memory");
    *t = (tuning){ .table = s->trials, .search = name, .label = e->label, .candidates = &e->candidates,
                   .recipe = e->recipe,
                   .metric = figure_name(tune_figure(e->recipe[flag_tune_metric].value, train)) };
}

void search_settings(const study *s, int64_t i, const tuning *t, flag *recipe)
{
    const entry *e = entry_of(s, i);
    const int64_t best = choose_candidate(t, is_probe(e) ? "grid" : e->recipe[flag_tune_search].value, NULL);
    char *text = candidate_text(&e->candidates, best, e->recipe);
    snprintf(s->chosen[i].text, sizeof s->chosen[i].text, "%s", text);
    free(text);
    tune_recipe(&e->candidates, best, e->recipe, recipe);
}
