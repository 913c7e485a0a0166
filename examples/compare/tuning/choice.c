/* SPDX-License-Identifier: Apache-2.0
 * choice.c -- chooses settings of a run by folds of its training images (choice.h). */
#include "common/program/errors.h"
#include "common/folds/fold_trials.h"
#include "common/folds/out_of_fold.h"
#include "common/tuning/trial_table.h"
#include "choice.h"
#include <stdlib.h>
#include <string.h>

void read_candidates(entry *e)
{
    flag *f = e->recipe;
    const size_t room = sizeof ((chosen *)0)->text;
    if (is_probe(e) && f[flag_tune].source == FROM_COMMAND_LINE) f[flag_tune].value = NULL;     /* not for probes */
    if (!f[flag_tune].value) {
        for (int k = flag_tune + 1; k < tuned_flags; k++)
            if (f[k].source == FROM_LIST_FILE)
                fail("--%s: has an effect only with --tune; give it, or leave this out", name_of_flag(&f[k]).text);
        return;
    }
    if (is_probe(e) && f[flag_tune_search].source == FROM_LIST_FILE)
        fail("--tune-search: a probe is not trained in epochs, and all its combinations are tried; leave it out");
    kept_fraction(f[flag_tune_search].value);
    e->candidates = read_grid(f[flag_tune].value);
    check_grid(&e->candidates, f, is_probe(e));
    for (int64_t c = 0; c < grid_size(&e->candidates); c++) {
        char *text = candidate_text(&e->candidates, c, f);
        if (strlen(text) >= room) fail("--tune: a combination has more than %zu characters: %s", room - 1, text);
        free(text);
    }
}

char *path_of_trials(const study *s, const char *csv)
{
    const char *end = strrchr(csv, '.');
    const size_t n = end && !strcmp(end, ".csv") ? (size_t)(end - csv) : strlen(csv);
    char *path;
    bool tuned = false;
    for (int64_t k = 0; k < s->entries; k++) tuned = tuned || s->entry[k].candidates.dimensions;
    if (!tuned) return NULL;
    if (asprintf(&path, "%.*s.tune.csv", (int)n, csv) < 0) fail("out of memory");
    return path;
}

/* The first part of the paths of temporary files of run i, to be freed. */
static char *temporary_files(const study *s, int64_t i)
{
    const size_t n = strlen(s->trials) - strlen(".csv");
    char *path;
    if (asprintf(&path, "%.*s-%s-%llu-%llu", (int)n, s->trials, entry_of(s, i)->key,
                 (unsigned long long)draw_seed(s, i), (unsigned long long)run_seed(s, i)) < 0)
        fail("out of memory");
    return path;
}

void begin_trials(const study *s, bool resume)
{
    start_trial_table(s->trials, resume);
    for (int64_t i = 0; i < s->samplings * s->runs * s->entries && !resume; i++) {
        const entry *e = entry_of(s, i);
        if (!e->candidates.dimensions) continue;
        char *files = temporary_files(s, i);
        remove_trial_files(files, &e->candidates, flag_integer(&e->recipe[flag_tune_folds]));
        free(files);
    }
}

static folds folds_of(const entry *e, peft_dataset *train, uint64_t seed)
{
    return make_folds(train, flag_integer(&e->recipe[flag_tune_folds]), seed, "tune-folds");
}

void check_choice(training_run *t, const entry *e)
{
    if (!e->candidates.dimensions) return;
    peft_trainer_free(t->trainer);                            /* its cache_file can have one trainer */
    t->trainer = NULL;
    (void)tune_figure(e->recipe[flag_tune_metric].value, t->train);
    folds parts = folds_of(e, t->train, t->seed);
    const fold_trials f = { .base = t, .recipe = e->recipe, .candidates = &e->candidates, .folds = &parts };
    if (is_probe(e)) check_probe_candidates(t, e, &parts);
    else check_candidates(&f);
    free_folds(&parts);
}

void choose_settings(const study *s, int64_t i, const training_run *t, flag *recipe)
{
    const entry *e = entry_of(s, i);
    if (!e->candidates.dimensions) {
        tune_recipe(&e->candidates, 0, e->recipe, recipe);    /* a copy */
        return;
    }
    tuning search;
    training_run base = *t;
    char *files = temporary_files(s, i);
    build_backbone(&base, e->recipe);
    folds parts = folds_of(e, base.train, base.seed);
    prepare_search(s, i, base.train, &search);
    fold_trials f = { .base = &base, .recipe = e->recipe, .candidates = &e->candidates, .folds = &parts,
                      .figure = tune_figure(e->recipe[flag_tune_metric].value, t->train), .files = files };
    search.judge = judge_by_folds;
    search.user = &f;
    search_settings(s, i, &search, recipe);
    end_fold_trials(&f);
    free_folds(&parts);
    free_training(&base);
    free((char *)(uintptr_t)search.search);
    free(files);
}

/* Prints the choices of an entry, the most frequent first. */
static void print_entry_choices(const study *s, int64_t entry)
{
    const int64_t runs = s->samplings * s->runs;
    char *printed = check_alloc(calloc((size_t)runs, 1));
    int64_t before = 0;
    for (;;) {
        int64_t most = 0, first = 0;
        for (int64_t a = 0; a < runs; a++) {
            const int64_t i = entry + a * s->entries;
            int64_t count = 0;
            if (printed[a] || !s->done[i] || !*s->chosen[i].text) continue;
            for (int64_t b = a; b < runs; b++)
                count += s->done[entry + b * s->entries] &&
                         !strcmp(s->chosen[entry + b * s->entries].text, s->chosen[i].text);
            if (count > most) most = count, first = a;
        }
        if (!most) break;
        const char *text = s->chosen[entry + first * s->entries].text;
        if (!before++) printf("%s: chosen ", s->entry[entry].label);
        printf("%s%s in %lld run%s", before > 1 ? "; " : "", text, (long long)most, most == 1 ? "" : "s");
        for (int64_t b = 0; b < runs; b++)
            if (!strcmp(s->chosen[entry + b * s->entries].text, text)) printed[b] = 1;
    }
    if (before) putchar('\n');
    free(printed);
}

void print_choices(const study *s)
{
    for (int64_t k = 0; k < s->entries; k++)
        if (s->entry[k].candidates.dimensions) print_entry_choices(s, k);
}
