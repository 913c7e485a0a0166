/* SPDX-License-Identifier: Apache-2.0
 * second_stage.c -- the second stages of a run: another method beside the first (--then), and the pruned prompts that a
 * search has chosen (--prune); see run.h and stages.h. */
#include "run.h"
#include "stages.h"
#include "common/program/errors.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool has_masks(const char *method)
{
    const peft_option *option;
    for (size_t i = 0; (option = peft_method_option(method, i)); i++)
        if (!strcmp(peft_option_name(option), "mask_tokens")) return true;
    return false;
}

static bool searched[MASKS];                                  /* of --prune, set by check_stages */

static prune_search search_of(const run *r)
{
    return (prune_search){ .percentages = given[prune].value, .score = given[prune_score].value, .table = r->table,
                           .resume = given[resume].value, .searched = { searched[TOKENS], searched[PIECES] },
                           .validation = r->validation };
}

void check_stages(void)
{
    flag *recipe = given + own_flags;
    if (given[then_epochs].value) (void)flag_whole(&given[then_epochs], 1, INT64_MAX);
    if (!given[then].value && (given[then_options].value || given[then_epochs].value))
        fail("--%s: give --then METHOD too", given[then_options].value ? "then-options" : "then-epochs");
    if (!given[prune].value && given[prune_score].source != FROM_DEFAULT) fail("--prune-score: give --prune LIST too");
    if (given[then].value && given[prune].value) fail("--then and --prune: give one of them");
    if (given[then].value && !peft_method_summary(given[then].value))
        fail("--then %s: no method has this name; inspect --methods lists them", given[then].value);
    if (!given[prune].value) return;
    if (!has_masks(recipe[recipe_method].value))
        fail("--prune: method %s has no masks of prompts; expected --method e2vpt", recipe[recipe_method].value);
    char *with_masks = masked_options(recipe, searched);
    const run none = { 0 };                                   /* check_search reads nothing that a run has */
    const prune_search s = search_of(&none);
    check_search(&s);
    free((char *)(uintptr_t)recipe[recipe_options].value);    /* resolve_recipe has copied it */
    recipe[recipe_options].value = with_masks;
}

enum { ENOUGH_VALIDATION = 10 };                              /* images a class */

void hold_out_validation(run *r)
{
    const double train_fraction = 0.8;
    const prune_search search = search_of(r);
    r->all = r->t.train;
    const bool own = !r->validation;
    const peft_status s = !own ? PEFT_OK : peft_dataset_split(r->all, train_fraction, r->t.seed, &r->t.train,
                                                              &r->validation);
    if (s) fail("--prune: the %lld training images of %lld classes leave none for validation, a fifth of every class "
                "(%s); give 3 or more of each class, --shots 3", (long long)peft_dataset_count(r->all),
                (long long)peft_dataset_classes(r->all), peft_status_name(s));
    const char *epochs = given[own_flags + recipe_epochs].value;
    const int candidates = check_search(&search);
    const int64_t images = peft_dataset_count(r->validation), classes = peft_dataset_classes(r->validation);
    printf("validation: %lld %s images, by which the pruned prompts are chosen among %d candidate%s, each trained "
           "for %s epoch%s\n", (long long)images, own ? "of the training" : "validation", candidates,
           candidates == 1 ? "" : "s", epochs, strcmp(epochs, "1") ? "s" : "");
    if (images < ENOUGH_VALIDATION * classes)
        warn("--prune: %lld validation images of %lld classes; with fewer than %d a class the choice is mostly chance: "
             "give %d or more training images a class", (long long)images, (long long)classes, ENOUGH_VALIDATION,
             5 * ENOUGH_VALIDATION);
}

static void second_recipe(flag recipe[recipe_flags])
{
    copy_recipe(recipe, given + own_flags, given[then].value, given[then_options].value, given[then_epochs].value);
}

void check_second_stage(run *r)
{
    flag recipe[recipe_flags];
    if (given[prune].value) {
        peft_importance *importance;                          /* fails if --options leaves no mask to be trained */
        const size_t only_adapter = 0;
        must(peft_importance_create(peft_model_adapter(r->t.model, only_adapter), &importance));
        peft_importance_free(importance);
        return;
    }
    second_recipe(recipe);
    check_next_stage(&r->t, given + own_flags, recipe);
    print_effective_rank(&r->t, r->test, "before training");
}

/* Saves the state of the first stage, from which --resume and the second one begin. */
static void save_first_stage(run *r)
{
    must(peft_trainer_save(r->t.trainer, r->state1));
}

/* Trains the second stage, whose objects are ready, or what is left of it. */
static void train_second_stage(run *r)
{
    r->state = r->state2;
    r->updates_in_epoch = 0;
    r->loss_sum = 0;
    add_state_notes(r);
    if (given[resume].value && !access(r->state, R_OK)) resume_training(r);
    train_model(r);
}

void add_method(run *r)
{
    flag recipe[recipe_flags];
    print_effective_rank(&r->t, r->test, "after the first stage");
    save_first_stage(r);
    second_recipe(recipe);
    begin_next_stage(&r->t, recipe, r->state1);
    printf("second stage: %s beside %s, %lld epoch%s\n", given[then].value, given[own_flags + recipe_method].value,
           (long long)r->t.epochs, r->t.epochs == 1 ? "" : "s");
    fflush(stdout);
    train_second_stage(r);
    print_effective_rank(&r->t, r->test, "after the second stage");
}

void train_pruned(run *r)
{
    const prune_search s = search_of(r);
    training_run masked = r->t;
    save_first_stage(r);
    peft_adapter *adapter = search_pruned(&masked, given + own_flags, &s);
    r->t = training_beside(&masked, given + own_flags, r->all, adapter);
    peft_adapter_free(adapter);
    free_training_beside(&masked);
    if (masked.train != r->all) {                             /* the validation images of the search come back */
        peft_dataset_free(masked.train);
        peft_dataset_free(r->validation);
        r->validation = NULL;
    }
    r->images = peft_dataset_count(r->t.train);
    r->batches = peft_loader_batches(r->t.loader);
    add_notes(r);
    train_second_stage(r);
}
