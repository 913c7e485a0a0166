/* SPDX-License-Identifier: Apache-2.0
 * finetune.c -- adapts a pretrained backbone to a data set by one method, or in two stages (finetune/stages.h), writes
 * a model file for predict, and evaluates the model on held-out images. Checks files and options before training, and
 * saves the model before evaluating it. */
#include "common/files/output.h"
#include "common/balance/balance.h"
#include "common/model/evaluate.h"
#include "common/backbone/weights.h"
#include "common/program/clock.h"
#include "common/predictions/predictions.h"
#include "common/program/errors.h"
#include "common/program/stop.h"
#include "common/program/verbose.h"
#include "common/ranks/ranks.h"
#include "finetune/run.h"
#include "finetune/stages.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const program about = {
    "--backbone PATH --data PATH [options]",
    "Adapts a pretrained Vision Transformer to labelled images by one method of parameter-efficient fine-tuning,\n"
    "saves the trained model, and evaluates it on held-out test images (sensitivity, specificity, AUROC, ...).\n"
    "inspect --methods lists the methods; docs/choosing.md helps to choose one.",
    "  finetune --backbone deit_tiny_patch16_224.safetensors --data scans --method lora --out scans.safetensors\n"
    "  predict --backbone deit_tiny_patch16_224.safetensors --model scans.safetensors new/*.png" };

static peft_status save_model(const void *m, const char *path) { return peft_model_save(m, path); }

static void write_model(run *r)
{
    begin_unfinished();
    r->written = save_or_fallback("out", given[out].value, r->replace, save_model, r->t.model);
    printf("%-22s %s\n", "written", r->written);
}

_Noreturn static void stopped_after_training(const run *r, const char *when)
{
    fail("stopped %s; the model is saved in %s, and the same command with --resume evaluates it", when, r->written);
}

static case_rule rule_of_flags(void) { return parse_case_rule(given[per_case].value, true); }

static bool attends(void) { return given[per_case].value && rule_of_flags() == CASE_ATTENTION; }

static peft_status save_pool(const void *p, const char *path) { return peft_case_pool_save(p, path); }

/* Trains the attention over slices with the trained model, and saves it beside the model. */
static void write_pool(const run *r, peft_session *session)
{
    putchar('\n');
    if (!train_case_pool(r->pool, session, r->t.train, r->t.transform))
        stopped_after_training(r, "before the attention was trained");
    char *path = case_pool_path(r->written);
    char *written = save_or_fallback("per-case", path, r->replace, save_pool, r->pool);
    printf("%-22s %s\n", "written", written);
    free(written);
    free(path);
}

/* Prints the metrics of the cases of the test images; scores: of the images. */
static void evaluate_cases(const run *r, peft_session *session, const double *scores)
{
    const case_rule rule = rule_of_flags();
    if (r->pool) write_pool(r, session);
    case_scores s = r->pool ? attend_to_cases(r->pool, session, r->test, r->t.transform)
                            : judge_cases(r->test, scores, rule);
    if (!s.scores) stopped_after_training(r, "during the evaluation");
    printf("\ncases: %s\n", case_rule_phrase[rule]);
    print_metrics(r->t.ctx, s.scores, s.samples, &r->how, "test", "cases");
    putchar('\n');
    free_case_scores(&s);
}

/* Prints the metrics on the test images and completes the record. */
static void evaluate_classes(run *r, peft_session *s)
{
    double *scores = predict_set(s, r->test, r->t.transform);
    if (!scores) stopped_after_training(r, "during the evaluation");
    figures of_test = compute_figures(r->t.ctx, scores, r->test, &r->how);
    if (given[nested].value) printf("\ntest images, predicted by the saved model:\n");
    print_figures(r->t.ctx, &of_test, scores, r->test, &r->how, "test", "images");
    write_record(r, scores, &of_test);
    free_figures(&of_test);
    print_sets_figures(r, scores);
    if (given[predictions].value) write_predictions(r, scores);
    if (given[per_case].value) evaluate_cases(r, s, scores);
    free(scores);
}

/* Prints the figures of the test images, and those of time and memory. */
static void evaluate(run *r)
{
    const double mib = 1024.0 * 1024.0;
    double seconds = (seconds_now() - r->start) / (double)(r->updates ? r->updates : 1);
    size_t peak = peft_context_memory_peak(r->t.ctx);
    peft_session *s;
    must(peft_session_create(r->t.model, NULL, &s));
    if (!given[masks].value) evaluate_classes(r, s);
    else if (!evaluate_maps(r, s)) stopped_after_training(r, "during the evaluation");
    if (r->images_in_both > 0) printf("%-22s %lld of the test images: the metrics are too good\n", "trained_on",
                                  (long long)r->images_in_both);
    printf("%-22s %lld\n", "trainable_parameters", (long long)peft_model_trainable_count(r->t.model));
    if (given[prune].value)
        printf("%-22s %lld\n", "not_masked_parameters", (long long)(peft_model_trainable_count(r->t.model) -
               masked_parameters(r->t.model, peft_backbone_get(r->t.vit, "width"))));
    printf("%-22s %.4f\n", "seconds_per_step", seconds);
    printf("%-22s %.2f\n", "planned_mib", r->t.planned_bytes / mib);
    printf("%-22s %.2f\n", "peak_mib", (double)peak / mib);
    peft_session_free(s);
}

/* Finds broken pictures, unless --unchecked is given. */
static void check_images(const run *r)
{
    if (given[unchecked].value) return;
    check_pictures((const peft_dataset *const[]){ r->all ? r->all : r->t.train, r->test,
                                                  r->validated ? r->validation : NULL }, 3, r->t.transform,
                   r->t.threads);
    if (given[masks].value)
        check_masks((const peft_dataset *const[]){ r->t.train, r->test, r->validated ? r->validation : NULL }, 3,
                    spacing_of_flag(given[spacing].value), r->t.pixels);
}

/* --tune, --nested: chooses settings, after finding broken pictures. The search has the backbone to itself. */
static void tune(run *r)
{
    const training_run t = r->t;
    build_backbone(&r->t, given + own_flags);
    check_images(r);
    if (given[nested].value) judge_by_outer_folds(r);
    choose_settings(r);
    free_training(&r->t);
    r->t = t;
}

/* The last steps before training: finds broken pictures, checks that --out can be written, and reads the state to
 * resume from, if there is one yet. */
static void check_before_training(run *r)
{
    if (!tunes()) check_images(r);                            /* else tune has done so */
    try_saving("out", given[out].value, save_model, r->t.model);
    if (stop_requested) fail("stopped before training");
    add_state_notes(r);
    if (given[resume].value && !in_folds() && !access(r->state, R_OK)) resume_training(r);
    fflush(stdout);
}

/* Ends the program for flags that say what the model of --model has settled. */
static void check_start(void)
{
    const int settled[] = { recipe_options, recipe_head };
    for (size_t i = 0; given[model].value && i < sizeof settled / sizeof *settled; i++)
        if (given[own_flags + settled[i]].value)
            fail("--%s: the adapter and the classifier of --model have their options already; leave it out",
                 given[own_flags + settled[i]].name);
    if (given[model].value && given[prune].value)
        fail("--prune: makes adapters of its own; leave --model out");
}

static void check_case_flags(void)
{
    if (given[case_options].value && !attends()) fail("--case-options: is for --per-case attention; give it too");
    if (!given[per_case].value) return;
    if (attends() && flag_integer(&given[shots]))
        fail("--shots: draws images, so that slices of cases are left out; with --per-case attention leave it out");
    if (attends() && given[prune].value) fail("--prune: cannot be combined with --per-case attention");
    if (flag_integer(&given[test_per_class]))
        fail("--test-per-class: draws images, so that slices of cases are left out; with --per-case leave it out");
}

/* Gives a flag of the recipe, whose values resolve_recipe has copied, a copy of another value. */
static void replace_value(flag *f, const char *value)
{
    free((char *)(uintptr_t)f->value);
    f->value = check_alloc(strdup(value));
}

/* Opens the images and makes all objects that training needs. */
static run prepare(int argc, char **argv)
{
    run r = { .argc = argc, .argv = argv, .pixels = check_alloc(calloc(1, sizeof *r.pixels)) };
    r.t = (training_run){ .backbone = given[backbone].value, .start = given[model].value,
                          .pixels = r.pixels,
                          .seed = (uint64_t)flag_integer(&given[seed]),
                          .threads = (int)flag_integer(&given[threads]),
                          .loader_threads = ranks.share ? 0 : 1 };       /* a rank skips batches of the others */
    check_case_flags();
    check_mask_flags();
    check_files(&r);
    check_backbone(given[backbone].value);
    r.t.io_ctx = make_context();
    const data_request q = { DATA_REQUEST, .masks = given[masks].value, .mask_options = given[mask_options].value,
                             .test_masks = given[test_masks].value, .shots = flag_integer(&given[shots]),
                             .tests = flag_integer(&given[test_per_class]), .seed = r.t.seed,
                             .all_slices = given[all_slices].value != NULL };
    const char *test_origin = draw_sets(r.t.io_ctx, &q, &r.t.train, &r.test);
    r.test_source = test_origin;
    open_validation(&r, &q, test_origin);
    peft_dataset **const sets[] = { &r.t.train, &r.test, &r.validation };
    for (size_t k = 0; k < sizeof sets / sizeof *sets; k++) replace_by_slices(&q, sets[k]);
    print_sets(r.t.train, r.validation, r.test, test_origin);
    if (r.validated) print_validation(r.validation, r.validation_source);
    r.images_in_both = check_overlap(r.t.train, r.test);
    if (r.t.start) check_earlier_training(&r);
    if (given[per_case].value) check_cases(r.test, "test");
    if (attends()) check_cases(r.t.train, "training");
    if (given[prune].value) hold_out_validation(&r);
    if (tunes()) tune(&r);
    build_training(&r.t, given + own_flags);
    if (r.t.start)
        replace_value(&given[own_flags + recipe_method], peft_adapter_method(peft_model_adapter(r.t.model, 0)));
    if (attends())
        r.pool = make_case_pool(r.t.model, given[case_options].value, peft_dataset_multilabel(r.t.train),
                                flag_integer(&given[seed]));
    printf("preprocessing (%s): %s\n", r.t.transform_origin, peft_transform_text(r.t.transform));
    print_balance(given[own_flags + recipe_trainer].value, &given[own_flags + recipe_balance], r.t.train,
                  r.t.pixels);
    if (given[masks].value) begin_mask_decisions(&r);
    else begin_decisions(&r);
    if (given[predictions].value) check_prediction_columns(&r);
    r.images = peft_dataset_count(r.t.train);
    r.batches = peft_loader_batches(r.t.loader);
    add_notes(&r);
    if (staged()) check_second_stage(&r);
    check_before_training(&r);
    return r;
}

int main(int argc, char **argv)
{
    program_name = "finetune";
    int first = read_flags(given, flags, &about, argc, argv);
    if (first < argc) fail("'%s' is not an option; expected --name value, see --help", argv[first]);
    if (!given[backbone].value || !given[data].value) fail("--backbone and --data are required; see --help");
    const char **const paths[] = { &given[out].value, &given[state].value, &given[predictions].value,
                                  &given[case_figures].value };
    if (ranks.join) ranks.join(paths, sizeof paths / sizeof *paths);
    resolve_recipe(given + own_flags);
    check_stages();
    check_tune_flags();
    check_validation_flags();
    check_decision_flags();
    check_start();
    watch_signals();
    run r = prepare(argc, argv);
    if (in_folds()) {
        cross_validate(&r);
        if (given[resume].value && !access(r.state, R_OK)) resume_training(&r);
    }
    train_model(&r);
    if (given[then].value) add_method(&r);
    if (given[prune].value) train_pruned(&r);
    if (!given[masks].value) finish_decisions(&r);
    write_model(&r);
    const double *const not_tested = NULL;
    write_record(&r, not_tested, NULL);
    evaluate(&r);
    remove_states(&r);
    end_unfinished();
    if (strcmp(r.written, given[out].value))
        fail("the model was saved as %s because --out %s could not be written", r.written, given[out].value);
    peft_case_pool_free(r.pool);
    free_paths(&r);
    free_decisions(&r);
    free_earlier_images(&r.earlier);
    free(r.search);
    free(r.outer_folds);
    free(r.fold_figures);
    free_training(&r.t);
    free_mask_pixels(r.pixels);
    free(r.pixels);
    peft_dataset_free(r.t.train);
    peft_context_free(r.t.io_ctx);
    peft_dataset_free(r.test);
    if (ranks.leave) ranks.leave();
    return 0;
}
