/* SPDX-License-Identifier: Apache-2.0
 * files.c -- the files of a run: paths are checked first, training states are resumed and removed (run.h). */
#include "run.h"
#include "common/balance/balance.h"
#include "common/files/output.h"
#include "common/files/text_file.h"
#include "common/outputs/input_files.h"
#include "common/program/errors.h"
#include "common/ranks/ranks.h"
#include "common/record/json_read.h"
#include "common/record/record.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Checks an output path (output.h), also against the files that loading the backbone reads. */
static void check_path(const char *name, const char *path, bool replace, const char *const *inputs, int count)
{
    const input_files in = { given[backbone].value, given[own_flags + recipe_backbone_options].value,
                             given[model].value };
    check_output(name, path, replace, inputs, count);
    check_not_input(name, path, &in);
}

/* Paths of the second stage. Without --resume files of an earlier run are errors, or removed with --force. */
static void check_stage_files(run *r, const char *const *inputs, int count)
{
    if (asprintf(&r->state2, "%s.2", r->state) < 0 || asprintf(&r->table, "%s.prune.csv", given[out].value) < 0)
        fail("out of memory");
    const bool replace = given[resume].value || given[force].value;
    check_path("state", r->state2, replace, inputs, count);
    if (given[prune].value) check_path("prune", r->table, replace, inputs, count);
    if (!given[resume].value) remove(r->state2);
}

/* The table of --tune. Without --resume one of an earlier run is an error, or replaced with --force. */
static void check_trials(run *r, const char *const *inputs, int count)
{
    if (asprintf(&r->trials, "%s.tune.csv", given[out].value) < 0) fail("out of memory");
    check_path("tune", r->trials, given[resume].value || given[force].value, inputs, count);
}

/* Identifies the training: the SHA-256 of all flags but those that may differ when it is taken up again. */
static void hash_flags(char hash[65])
{
    static const int left_out[] = { resume, force, unchecked, threads, out, state, predictions, case_figures };
    char *text;
    size_t size;
    FILE *f = check_alloc(open_memstream(&text, &size));
    for (int i = 0; i < own_flags + tuned_flags; i++) {
        size_t k = 0;
        while (k < sizeof left_out / sizeof *left_out && left_out[k] != i) k++;
        if (k == sizeof left_out / sizeof *left_out && given[i].value)
            fprintf(f, "%s=%s\n", given[i].name, given[i].value);
    }
    if (fclose(f)) fail("out of memory");
    peft_sha256(text, size, hash);
    free(text);
}

/* The file that exists from the time at which --out is written until its evaluation has ended; to be freed. */
static char *unfinished_path(void)
{
    char *path;
    if (asprintf(&path, "%s.unfinished", given[out].value) < 0) fail("out of memory");
    return path;
}

/* With --resume: was a run of this training stopped between the saving of its model and the end of its evaluation? */
static bool was_unfinished(void)
{
    char hash[65], *path = unfinished_path();
    char *text = given[resume].value ? read_text_file(path, NULL) : NULL;
    hash_flags(hash);
    const bool same = text && !strncmp(text, hash, 64);
    free(text);
    free(path);
    return same;
}

void begin_unfinished(void)
{
    char hash[65], *path = unfinished_path();
    hash_flags(hash);
    if (peft_write_file(path, hash, 64))
        warn("%s could not be written, so that --resume will refuse --out if the evaluation is stopped: %s", path,
             peft_last_error());
    free(path);
}

void end_unfinished(void)
{
    char *path = unfinished_path();
    remove(path);
    free(path);
}

/* Checks the path of the training record. One of a model that is gone is replaced; another file is if may_replace. */
static void check_record(bool may_replace, const char *const *inputs, int count)
{
    char *path = record_path(given[out].value), *text = NULL;
    struct stat st;
    if (!may_replace && !stat(path, &st) && S_ISREG(st.st_mode)) {
        json *j = json_parse(text = read_text_file(path, NULL));
        if (!json_is_record(j))
            fail("--out %s: its training record is to be written to %s, an existing file that is no training record; "
                 "give another path, or --force to write over it", given[out].value, path);
        json_free(j);
    }
    const bool replace = true;                                /* it is a record, or --force is given */
    check_path("out", path, replace, inputs, count);
    free(text);
    free(path);
}

void check_files(run *r)
{
    r->replace = given[force].value || was_unfinished();
    const char *const others[] = { given[backbone].value, given[data].value, given[test].value, given[model].value,
                                   given[out].value };
    if (given[state].value) r->state1 = check_alloc(strdup(given[state].value));
    else if (asprintf(&r->state1, "%s.state", given[out].value) < 0) fail("out of memory");
    r->state = r->state1;
    check_path("out", given[out].value, r->replace, others, 4);                /* all but the last */
    check_record(r->replace, others, 5);
    if (given[per_case].value && !strcmp(given[per_case].value, "attention")) {
        char *pool = case_pool_path(given[out].value);
        check_path("per-case", pool, r->replace, others, 5);
        free(pool);
    }
    if (given[predictions].value) {
        const char *const all[] = { others[0], others[1], others[2], others[3], others[4], r->state };
        check_path("predictions", given[predictions].value, r->replace, all, 6);
    }
    if (given[case_figures].value) {
        const char *const all[] = { others[0], others[1], others[2], others[3], others[4], r->state,
                                    given[masks].value, given[test_masks].value };
        check_path("case-figures", given[case_figures].value, r->replace, all, 8);
    }
    if (tunes()) check_trials(r, others, 5);
    char *fold_file = folds_path(r);
    if (in_folds()) check_path("state", fold_file, given[resume].value || given[force].value, others, 5);
    const bool resumable = !access(r->state, R_OK) || (in_folds() && !access(fold_file, R_OK)) ||
                           (tunes() && !access(r->trials, R_OK));
    free(fold_file);
    if (given[resume].value && !resumable && was_unfinished() && !access(given[out].value, R_OK)) {
        /* the states are removed when the evaluation has ended, this file after them */
        printf("%s: was trained and evaluated by a run that was stopped at its end; nothing is left to do\n",
               given[out].value);
        end_unfinished();
        if (ranks.leave) ranks.leave();
        exit(EXIT_SUCCESS);
    }
    if (given[resume].value && !resumable)
        fail("--resume: there is no training state %s to continue from; give --state FILE, or leave --resume out to "
             "train from the beginning", r->state);
    if (!given[resume].value && !given[force].value && !access(r->state, F_OK))
        fail("--state %s: exists already; give --resume to continue from it, or --force to train from the beginning "
             "and overwrite it", r->state);
    const bool replace = true;                                /* --resume or --force is given if the file exists */
    char *unfinished = unfinished_path();
    check_path("out", unfinished, replace, others, 5);
    if (!given[resume].value) remove(unfinished);
    free(unfinished);
    check_path("state", r->state, replace, others, 5);
    char *best = best_path(r->state);
    check_path("state", best, replace, others, 5);
    if (!given[resume].value) remove(best);
    free(best);
    if (staged()) check_stage_files(r, others, 5);
}

void add_state_notes(run *r)
{
    char digest[65];
    if (r->validated) {
        must(peft_dataset_digest(r->validation, digest));
        must(peft_trainer_set_note(r->t.trainer, "validation", digest));
    }
    if (given[stop].value) must(peft_trainer_set_note(r->t.trainer, "stop", given[stop].value));
    must(peft_dataset_digest(r->t.train, digest));
    must(peft_trainer_set_note(r->t.trainer, "data", digest));
    must(peft_trainer_set_note(r->t.trainer, "preprocess", peft_transform_text(r->t.transform)));
    must(peft_trainer_set_note(r->t.trainer, "seed", given[seed].value));
    if (draws_balanced(&given[own_flags + recipe_balance], r->t.train))
        must(peft_trainer_set_note(r->t.trainer, "balance", "sampler"));
    if (given[image_options].value)
        must(peft_trainer_set_note(r->t.trainer, "image_options", given[image_options].value));
    /* a state of the second stage belongs to a first stage of this many epochs; --resume refuses another number */
    const char *epochs = given[own_flags + recipe_epochs].value;
    if (staged()) must(peft_trainer_set_note(r->t.trainer, "first_stage_epochs", epochs));
}

void resume_training(run *r)
{
    const peft_status s = peft_trainer_restore(r->t.trainer, r->state);
    if (s == PEFT_E_MISMATCH)
        fail("--resume: %s; give the --data, --seed, --shots, --val, --stop, --preprocess and training options that "
             "the state was made with, or train from the beginning without --resume", peft_last_error());
    must(s);
    printf("continuing from %s, step %.0f\n", r->state, peft_trainer_get(r->t.trainer, "step"));
}

void remove_states(const run *r)
{
    if (given[state].value) return;
    char *const path[] = { r->state1, r->state2 };
    char *fold_file = folds_path(r);
    remove(fold_file);
    free(fold_file);
    for (int k = 0; k < (staged() ? 2 : 1); k++) {
        char *best = best_path(path[k]);
        remove(path[k]);
        remove(best);
        free(best);
    }
}

void free_paths(run *r)
{
    free(r->state1);
    free(r->state2);
    free(r->table);
    free(r->trials);
    free(r->written);
    free(r->validation_scores);
    free_case_figures(&r->validation_cases);
    free_case_figures(&r->test_cases);
    free(r->out_of_fold);
    free(r->record_data);
    peft_dataset_free(r->validation);
}
