/* SPDX-License-Identifier: Apache-2.0
 * probe_choice.c -- chooses options of a probe by folds of the training images, whose features are known (choice.h). */
#include "common/program/errors.h"
#include "common/folds/folds.h"
#include "common/folds/out_of_fold.h"
#include "common/tuning/trial_table.h"
#include "choice.h"
#include <stdlib.h>
#include <string.h>

/* What judge_probe needs. */
typedef struct probe_trials {
    peft_context *ctx;
    const flag *recipe;
    const grid *candidates;
    const folds *parts;
    const features *all;                                      /* of the training images */
    const peft_dataset *train;
    const judging_figure *figure;
} probe_trials;

/* The features of the images with these numbers. */
static features some_features(const features *f, const int64_t *number, int64_t count)
{
    features part = { .n = count, .width = f->width, .classes = f->classes };
    part.x = check_alloc(malloc((size_t)(count * f->width) * sizeof *part.x));
    part.label = check_alloc(malloc((size_t)count * sizeof *part.label));
    for (int64_t i = 0; i < count; i++) {
        memcpy(part.x + i * f->width, f->x + number[i] * f->width, (size_t)f->width * sizeof *part.x);
        part.label[i] = f->label[number[i]];
    }
    return part;
}

/* Fits to a fold and writes the scores of the images held out to their rows. */
static void judge_fold(const probe_trials *p, const flag *recipe, const fold *part, double *scores)
{
    const int64_t held = peft_dataset_count(part->held), classes = p->all->classes;
    features train = some_features(p->all, part->train_index, peft_dataset_count(part->train));
    features rest = some_features(p->all, part->held_index, held);
    double *some = check_alloc(malloc((size_t)(held * classes) * sizeof *some));
    peft_probe *probe = fit_probe(p->ctx, recipe, &train, part->train);
    must(peft_probe_scores(probe, rest.x, held, some));
    for (int64_t i = 0; i < held; i++)
        memcpy(scores + part->held_index[i] * classes, some + i * classes, (size_t)classes * sizeof *some);
    peft_probe_free(probe);
    free(some);
    free_features(&train);
    free_features(&rest);
}

/* A trial_function. A probe is fitted wholly at once: share is 1. */
static trial judge_probe(int64_t candidate, double share, void *user)
{
    (void)share;
    const probe_trials *p = user;
    flag recipe[recipe_flags];
    double *scores = check_alloc(calloc((size_t)(p->all->n * p->all->classes), sizeof *scores));
    tune_recipe(p->candidates, candidate, p->recipe, recipe);
    for (int64_t k = 0; k < p->parts->count; k++) judge_fold(p, recipe, &p->parts->fold[k], scores);
    const trial result = judge_out_of_fold(p->ctx, scores, p->train, p->figure);
    free_tuned(recipe);
    free(scores);
    return result;
}

/* Fits every candidate to features of zeros of the first fold. */
void check_probe_candidates(const training_run *t, const entry *e, const folds *parts)
{
    const fold *part = &parts->fold[0];
    const int64_t n = peft_dataset_count(part->train);
    features f = { .n = n, .width = 1, .classes = peft_dataset_classes(t->train) };
    f.x = check_alloc(calloc((size_t)n, sizeof *f.x));
    f.label = check_alloc(malloc((size_t)n * sizeof *f.label));
    for (int64_t i = 0; i < n; i++) f.label[i] = peft_dataset_label(part->train, i);
    for (int64_t c = 0; c < grid_size(&e->candidates); c++) {
        flag recipe[recipe_flags];
        tune_recipe(&e->candidates, c, e->recipe, recipe);
        peft_probe_free(fit_probe(t->ctx, recipe, &f, part->train));
        free_tuned(recipe);
    }
    free_features(&f);
}

void choose_probe(const study *s, int64_t i, const training_run *t, const features *f, flag *recipe)
{
    const entry *e = entry_of(s, i);
    tuning search;
    if (!e->candidates.dimensions) {
        tune_recipe(&e->candidates, 0, e->recipe, recipe);    /* a copy */
        return;
    }
    folds parts = make_folds(t->train, flag_integer(&e->recipe[flag_tune_folds]), t->seed, "tune-folds");
    prepare_search(s, i, t->train, &search);
    probe_trials p = { t->io_ctx, e->recipe, &e->candidates, &parts, f, t->train,
                       tune_figure(e->recipe[flag_tune_metric].value, t->train) };
    search.judge = judge_probe;
    search.user = &p;
    search_settings(s, i, &search, recipe);
    free_folds(&parts);
    free((char *)(uintptr_t)search.search);
}
