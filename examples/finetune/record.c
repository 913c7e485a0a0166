/* SPDX-License-Identifier: Apache-2.0
 * record.c -- the training record of a run, OUT.record.json, and what that of --model says of the images (run.h). */
#include "run.h"
#include "common/program/errors.h"
#include "common/record/record.h"
#include "common/segment/figures/mean_figures.h"
#include <stdio.h>
#include <stdlib.h>

/* The number of images of a set that this training or the one of --model trains on; -1: not known. Warns of the latter,
 * and ends the program if it trained on all of them. */
static int64_t count_trained_on(run *r, named_set judged)
{
    const int64_t all = peft_dataset_count(judged.d);
    int64_t found, both = 0, *index = check_alloc(malloc((size_t)all * sizeof *index * 2));
    char *mark = check_alloc(calloc((size_t)all, 1));
    must(peft_dataset_overlap(judged.d, r->t.train, all, index, index + all, &found));
    const int64_t before = mark_earlier(&r->earlier, judged.d, mark);
    if (before == all)
        fail("all %lld %s images are training images of --model, so figures on them would not hold for new images; "
             "give --%s other images", (long long)all, judged.name, *judged.name == 'v' ? "val" : judged.name);
    if (before > 0)
        warn("%lld of %lld %s images are training images of --model (%s.record.json), so the figures on them are too "
             "good; leave them out", (long long)before, (long long)all, judged.name, r->t.start);
    for (int64_t k = 0; k < found; k++) both += mark[index[k]];
    free(index);
    free(mark);
    return before < 0 ? -1 : found + before - both;
}

void check_earlier_training(run *r)
{
    const peft_dataset *const validation = r->validated ? r->validation : NULL;
    r->earlier = read_earlier_images(r->t.start);
    r->images_in_both = count_trained_on(r, (named_set){ r->test, "test", "test" });
    if (validation) r->validation_in_both = count_trained_on(r, (named_set){ validation, "validation", "val" });
    if (r->earlier.unknown)
        printf("--model: which images it was trained on is not known (%s); the %s images may be among them\n",
               r->earlier.unknown, validation ? "test and validation" : "test");
}

/* A number of images; -1: null. */
static void record_count(json_writer *w, const char *name, int64_t count)
{
    if (count < 0) json_null(w, name);
    else json_integer(w, name, count);
}

/* Which epochs were trained, and which one the model has. */
static void record_training(json_writer *w, const run *r)
{
    json_object(w, "training");
    json_integer(w, "epochs", r->t.epochs);
    json_integer(w, "epochs_trained", r->last_epoch);
    json_integer(w, "model_epoch", r->best_epoch ? r->best_epoch : r->last_epoch);
    if (r->fold_epoch) json_integer(w, "fold_epochs", r->fold_epoch);
    if (r->best_epoch) {
        json_text(w, "best_by", figure_name(r->figure));
        json_number(w, "best_figure", r->best_figure);
    }
    json_text(w, "preprocessing", peft_transform_text(r->t.transform));
    json_text(w, "preprocessing_source", r->t.transform_origin);
    json_integer(w, "seed", (int64_t)r->t.seed);
    record_count(w, "test_images_trained_on", r->images_in_both);
    if (r->validation_source) record_count(w, "validation_images_trained_on", r->validation_in_both);
    if (peft_dataset_has_groups(r->t.train) && peft_dataset_has_groups(r->test)) {
        int64_t patients;
        must(peft_dataset_shared_groups(r->t.train, r->test, 0, NULL, NULL, &patients));
        json_integer(w, "test_patients_trained_on", patients);
    }
    json_close(w);
}

/* How many patients have images in two sets; null: not known. */
static void record_shared_patients(json_writer *w, const char *name, const peft_dataset *a, const peft_dataset *b)
{
    record_count(w, name, a && b ? shared_patients(a, b) : -1);
}

/* The value of "data": the images of the sets, whose files are read once in a run. */
static char *data_text(const run *r)
{
    const peft_dataset *validation = r->validated ? r->validation : NULL;
    const validation_request v = parse_validation(given[val].value);
    json_buffer b;
    open_json(&b);
    json_writer *const w = &b.w;
    json_object(w, NULL);
    record_images(w, "training", given[data].value, NULL, r->t.train);
    if (validation)
        record_images(w, "validation", v.path ? v.path : given[data].value, r->validation_source, validation);
    else json_null(w, "validation");
    record_images(w, "test", given[test].value ? given[test].value : given[data].value, r->test_source, r->test);
    json_object(w, "patients_in_two_sets");
    record_shared_patients(w, "training_and_validation", r->t.train, validation);
    record_shared_patients(w, "training_and_test", r->t.train, r->test);
    record_shared_patients(w, "validation_and_test", validation, r->test);
    json_close(w);
    if (r->t.start) record_earlier(w, "trained_on_before", &r->earlier);
    json_close(w);
    return close_json(&b);
}

/* A note of the model; null: it has none, or an empty one. */
static void record_note(json_writer *w, const run *r, const char *key)
{
    const char *note = peft_model_note(r->t.model, key);
    json_text(w, key, note && *note ? note : NULL);
}

/* The model is saved already, so that a failure only warns. */
void write_record(run *r, const double *test_scores, const figures *of_test)
{
    char digest[65], *path = record_path(r->written);
    json_buffer b;
    if (!r->record_data) r->record_data = data_text(r);
    open_json(&b);
    json_writer *const w = &b.w;
    json_object(w, NULL);
    record_head(w, program_name, r->argc, r->argv);
    json_object(w, "model");
    json_text(w, "path", r->written);
    json_text(w, "sha256", hash_file(r->written, digest) ? digest : NULL);
    record_method(w, r->t.model);
    json_close(w);
    record_backbone(w, &r->t);
    record_flags(w, given, flags);
    record_training(w, r);
    json_raw(w, "data", r->record_data);
    json_raw(w, "tuning", r->search);
    json_raw(w, "nested", r->outer_folds);
    if (given[masks].value) record_means(w, "validation_figures", r->t.ctx, &r->validation_cases);
    else record_figures(w, "validation_figures", r->t.ctx, r->validation_scores, r->validation, NULL);
    json_raw(w, "out_of_fold_figures", r->fold_figures);
    if (given[masks].value) record_means(w, "test_figures", r->t.ctx, &r->test_cases);
    else record_figures(w, "test_figures", r->t.ctx, test_scores, r->test, of_test);
    record_note(w, r, "decision");
    record_note(w, r, "conformal");
    json_close(w);
    char *text = close_json(&b);
    if (peft_write_file(path, text, b.size)) warn("the training record could not be written: %s", peft_last_error());
    else if (test_scores || r->test_cases.cases) printf("%-22s %s\n", "record", path);
    free(text);
    free(path);
}
