/* SPDX-License-Identifier: Apache-2.0
 * choice.c -- --tune: chooses training settings by folds of the training images; --nested: judges this choice and the
 * training with it by outer folds (run.h). */
#include "run.h"
#include "common/files/text_hash.h"
#include "common/folds/fold_trials.h"
#include "common/folds/out_of_fold.h"
#include "common/model/evaluate.h"
#include "common/program/errors.h"
#include "common/record/record.h"
#include "common/tuning/trial_table.h"
#include "common/tuning/tuning_record.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static flag *const recipe = given + own_flags;

bool tunes(void) { return recipe[flag_tune].value; }

void check_tune_flags(void)
{
    static const struct { int flag; const char *why; } others[] = {
        { model, "its adapter has its settings already" }, { then, "candidates are trained in one stage" },
        { prune, "candidates are trained in one stage" } };
    if (!tunes()) {
        if (given[nested].value) fail("--nested: judges the choice of settings; give --tune too, or leave it out");
        for (int k = flag_tune + 1; k < tuned_flags; k++)
            if (recipe[k].source != FROM_DEFAULT)
                fail("--%s: has an effect only with --tune; give it, or leave this out", name_of_flag(&recipe[k]).text);
        return;
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (given[others[i].flag].value)
            fail("--tune: cannot be combined with --%s, as %s", name_of_flag(&given[others[i].flag]).text,
                 others[i].why);
    if (in_folds())
        fail("--val folds: cannot be combined with --tune, because the settings would be chosen with the images that a "
             "fold judges; give --nested K, which chooses in each outer fold anew");
    kept_fraction(recipe[flag_tune_search].value);
    grid g = read_grid(recipe[flag_tune].value);
    check_grid(&g, recipe, false);
    free_grid(&g);
}

/* Identifies a search: the images, the seed and all settings that decide how candidates are judged. */
static char *name_search(const run *r, peft_dataset *train)
{
    char digest[65], *name;
    must(peft_dataset_digest(train, digest));
    uint64_t h = text_hash(TEXT_HASH_BEGIN, digest);
    h = text_hash(h, peft_backbone_fingerprint(r->t.vit));
    h = text_hash(h, given[seed].value);
    for (int k = 0; k < tuned_flags; k++) h = text_hash(h, recipe[k].value ? recipe[k].value : "");
    if (asprintf(&name, "%016" PRIx64, h) < 0) fail("out of memory");
    return name;
}

/* Chooses by folds of r->t.train and makes the recipe, to be freed. The writer w gets an object that says how. */
static void choose(const run *r, flag *tuned, json_writer *w)
{
    grid g = read_grid(recipe[flag_tune].value);
    folds parts = make_folds(r->t.train, flag_integer(&recipe[flag_tune_folds]), r->t.seed, "tune-folds");
    static bool begun;                                        /* the table, by an earlier search */
    char *files, *key = name_search(r, r->t.train);
    if (asprintf(&files, "%s.tune-%s", given[out].value, key) < 0) fail("out of memory");
    fold_trials f = { .base = &r->t, .recipe = recipe, .candidates = &g, .folds = &parts, .files = files,
                      .figure = tune_figure(recipe[flag_tune_metric].value, r->t.train) };
    const tuning search = { .table = r->trials, .search = key, .label = recipe[recipe_method].value, .candidates = &g,
                            .recipe = recipe, .metric = figure_name(f.figure), .judge = judge_by_folds, .user = &f,
                            .print = true };
    check_candidates(&f);
    start_trial_table(r->trials, begun || given[resume].value);
    begun = true;
    printf("choosing settings: %lld candidates, %lld folds of %lld training images\n", (long long)grid_size(&g),
           (long long)parts.count, (long long)peft_dataset_count(r->t.train));
    trial *last = check_alloc(calloc((size_t)grid_size(&g), sizeof *last));
    const int64_t best = choose_candidate(&search, recipe[flag_tune_search].value, last);
    record_search(w, NULL, &(search_record){ &search, recipe[flag_tune_search].value, parts.count,
                                             peft_dataset_count(r->t.train), last, best });
    char *text = candidate_text(&g, best, recipe);
    printf("chosen: %s\n", text);
    fflush(stdout);
    tune_recipe(&g, best, recipe, tuned);
    end_fold_trials(&f);
    free(text);
    free(files);
    free(key);
    free(last);
    free_folds(&parts);
    free_grid(&g);
}

void choose_settings(run *r)
{
    flag tuned[recipe_flags];
    json_buffer part;
    open_json(&part);
    choose(r, tuned, &part.w);
    r->search = close_json(&part);
    free_tuned(recipe);                                       /* resolve_recipe has copied the values */
    memcpy(recipe, tuned, sizeof tuned);                      /* they live until the program ends */
}

/* Prints the figures of the predictions of all outer folds, and adds them to the record. */
static void judge_outer_folds(const run *r, const double *scores, json_writer *w)
{
    peft_dataset *train = r->t.train;
    const figure_intervals intervals = estimate_figures(r->t.ctx, scores, train);
    decision plain = plain_decision(peft_dataset_classes(train), peft_dataset_multilabel(train));
    printf("\nnested folds: each training image is predicted by a training that held it out, with settings that were "
           "chosen without it\n");
    print_metrics(r->t.ctx, scores, train, &plain, "training", "images");
    printf("95 %% bootstrap intervals by %s\n", peft_dataset_has_groups(train) ? "patients" : "images");
    print_intervals(&intervals, train);
    putchar('\n');
    record_figures_of_folds(w, "figures", r->t.ctx, scores, train, &intervals);
    free_decision(&plain);
}

void judge_by_outer_folds(run *r)
{
    peft_dataset *const all = r->t.train;
    const int64_t count = flag_integer(&given[nested]), n = peft_dataset_count(all);
    folds outer = make_folds(all, count, r->t.seed, "nested");
    double *scores = check_alloc(calloc((size_t)(n * peft_dataset_classes(all)), sizeof *scores));
    json_buffer part;
    open_json(&part);
    json_object(&part.w, NULL);
    json_integer(&part.w, "folds", count);
    json_list(&part.w, "searches");
    for (int64_t k = 0; k < count; k++) {
        const fold *held_out = &outer.fold[k];
        flag tuned[recipe_flags];
        printf("outer fold %lld of %lld: %lld images held out\n", (long long)k + 1, (long long)count,
               (long long)peft_dataset_count(held_out->held));
        r->t.train = held_out->train;
        choose(r, tuned, &part.w);
        predict_by_training(&r->t, tuned, held_out, scores);
        free_tuned(tuned);
    }
    json_close(&part.w);
    r->t.train = all;
    judge_outer_folds(r, scores, &part.w);
    json_close(&part.w);
    r->outer_folds = close_json(&part);
    free(scores);
    free_folds(&outer);
}
