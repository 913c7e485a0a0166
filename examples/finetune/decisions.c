/* SPDX-License-Identifier: Apache-2.0
 * decisions.c -- how the trained model decides: --threshold and --conformal, which take the validation images (run.h).
 * Test images take no part in a choice. */
#include "run.h"
#include "common/decision/intervals.h"
#include "common/program/errors.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void check_decision_flags(void)
{
    const char *rule = given[threshold].value;
    if (given[positive].value && !rule) fail("--positive: is the class that --threshold decides; give --threshold too");
    if (rule && parse_threshold_rule(rule).name && !validates())
        fail("--threshold %s: is chosen on validation images; give --val 0.2, a share of the training images, or --val "
             "PATH too", rule);
    if (rule && given[per_case].value)
        fail("--threshold: is one of images, whose probabilities those of cases do not follow; leave --per-case out");
    if (!given[conformal].value) return;
    (void)parse_set_rule(given[conformal].value, 1);
    if (!validates())
        fail("--conformal: is fitted on validation images; give --val 0.2, a share of the training images, or --val "
             "PATH too");
    if (in_folds())
        fail("--conformal: the models of --val folds are others than that which is saved; give --val 0.2, a share of "
             "the training images, or --val PATH");
    if (given[stop].value || given[prune].value)
        fail("--conformal: the validation images choose the %s, after which they are not as new images are, and sets "
             "would have less than the wanted coverage; leave --%s out", given[stop].value ? "epoch" : "prompts",
             given[stop].value ? "stop" : "prune");
}

/* The images that choose: those of validation, or of --val folds all training images, each by the model that was not
 * trained on it. */
static peft_dataset *choosing_images(const run *r) { return in_folds() ? r->t.train : r->validation; }
static const double *choosing_scores(const run *r) { return in_folds() ? r->out_of_fold : r->validation_scores; }

/* These images in words, to be freed. */
static char *name_validation(const run *r)
{
    char *text;
    const int n = in_folds() ? asprintf(&text, "%lld training images, each out of its fold",
                                        (long long)peft_dataset_count(r->t.train))
                             : asprintf(&text, "%lld validation images (%s)",
                                        (long long)peft_dataset_count(r->validation), r->validation_source);
    if (n < 0) fail("out of memory");
    return text;
}

/* The class of --positive; without it the second. */
static int64_t find_positive(const run *r)
{
    const char *name = given[positive].value;
    for (int64_t c = 0; name && c < r->how.classes; c++)
        if (!strcmp(peft_dataset_class_name(r->t.train, c), name)) return c;
    if (name)
        fail("--positive: there is no class '%s'; expected '%s' or '%s'", name, peft_dataset_class_name(r->t.train, 0),
             peft_dataset_class_name(r->t.train, 1));
    return 1;
}

static int64_t *labels_of(const peft_dataset *d)
{
    int64_t *labels = check_alloc(malloc((size_t)peft_dataset_count(d) * sizeof *labels));
    for (int64_t i = 0; i < peft_dataset_count(d); i++) labels[i] = peft_dataset_label(d, i);
    return labels;
}

/* Ends the program if there are too few validation images for the quantile of the share of --conformal, of rank
 * ceil((n + 1) * share). The subtrahend is for shares whose quotient is rounded up, as of 0.9. */
static void check_number(const run *r, const set_rule *rule)
{
    const double rounding = 1e-9, needed = ceil(rule->coverage / (1 - rule->coverage) - rounding);
    const int64_t least = needed < 1 ? 1 : (int64_t)needed, all = peft_dataset_count(r->validation);
    if (all < least)
        fail("--conformal %s: coverage %.9g takes at least %lld validation images, there are %lld; give more, or a "
             "smaller share", given[conformal].value, rule->coverage, (long long)least, (long long)all);
    int64_t *count = count_classes(r->validation);
    for (int64_t c = 0; rule->by_class && c < rule->classes; c++)
        if (count[c] < least)
            fail("--conformal %s: coverage %.9g takes at least %lld validation images of each class, there are %lld of "
                 "'%s'; give more, or a smaller share", given[conformal].value, rule->coverage, (long long)least,
                 (long long)count[c], peft_dataset_class_name(r->validation, c));
    free(count);
}

/* Before training: fits sets on equal probabilities, which fails for as few images as the true ones would. */
static void try_sets(run *r)
{
    const int64_t n = peft_dataset_count(r->validation), classes = r->how.classes;
    set_rule trial = parse_set_rule(given[conformal].value, classes);
    if (r->how.multilabel)
        fail("--conformal: sets of classes are for one label for each image; leave it out for several labels");
    check_number(r, &trial);
    int64_t *labels = labels_of(r->validation), patients = 0, *patient = number_patients(r->validation, &patients);
    double *p = check_alloc(malloc((size_t)(n * classes) * sizeof *p));
    char *set = name_validation(r);
    for (int64_t k = 0; k < n * classes; k++) p[k] = 1 / (double)classes;
    fit_sets(r->t.ctx, &trial, p, labels, n, set);
    if (patient && patients < n)
        warn("--conformal: %lld validation images are of %lld patients; the coverage is for one image of each patient, "
             "and holds on average only", (long long)n, (long long)patients);
    free_set_rule(&trial);
    free(labels);
    free(patient);
    free(set);
    free(p);
}

/* Prints what the model of --model decides by and the new one will not. */
static void print_dropped(const run *r)
{
    const struct { const char *note, *what; int flag; } stored[] = {
        { "decision", "thresholds are", threshold }, { "conformal", "prediction sets are", conformal } };
    for (size_t i = 0; r->t.start && i < sizeof stored / sizeof *stored; i++) {
        const char *note = peft_model_note(r->t.model, stored[i].note);
        if (note && *note && !given[stored[i].flag].value)
            printf("--model: its %s left out, as the training changes the probabilities; give --%s for new ones\n",
                   stored[i].what, given[stored[i].flag].name);
    }
}

void begin_decisions(run *r)
{
    const char *rule = given[threshold].value;
    print_dropped(r);
    const bool multilabel = peft_dataset_multilabel(r->t.train);
    r->how = plain_decision(peft_dataset_classes(r->t.train), multilabel);
    if (given[conformal].value) try_sets(r);
    if (!rule) return;
    if (!multilabel && r->how.classes != 2)
        fail("--threshold: the data have %lld classes, of which the most probable one is decided; thresholds are for "
             "two classes, or for several labels for an image", (long long)r->how.classes);
    if (multilabel && given[positive].value)
        fail("--positive: each label has a threshold of its own; leave it out for several labels for an image");
    if (!multilabel) r->how.positive = find_positive(r);
    if (given[conformal].value)
        warn("--threshold and --conformal: the class that a threshold decides may lie outside the prediction set, "
             "which is made of the probabilities alone (docs/predict.md)");
    if (parse_threshold_rule(rule).name) return;
    const char **names = names_of_classes(r->t.train);
    set_thresholds(&r->how, rule, names, "threshold");
    free(names);
}

static void choose(run *r, const char *set)
{
    const peft_dataset *d = choosing_images(r);
    const int64_t n = peft_dataset_count(d), classes = r->how.classes;
    const threshold_rule rule = parse_threshold_rule(given[threshold].value);
    const char **names = names_of_classes(r->t.train);
    float *targets = check_alloc(malloc((size_t)(n * classes) * sizeof *targets));
    for (int64_t i = 0; i < n; i++) must(peft_dataset_targets(d, i, targets + i * classes));
    choose_thresholds(r->t.ctx, &r->how, &rule, choosing_scores(r), targets, n, set, names);
    char *text = decision_text(&r->how, names, '.');
    if (r->how.set) printf("thresholds: %s (%s), chosen on %s\n", text, r->how.rule, set);
    else printf("thresholds: %s (%s on %s)\n", text, r->how.rule, set);
    free(text);
    free(targets);
    free(names);
}

void store_note(const run *r, const char *key, char *text)
{
    if (*text || peft_model_note(r->t.model, key)) must(peft_model_set_note(r->t.model, key, text));
    free(text);
}

void finish_decisions(run *r)
{
    const bool chosen = given[threshold].value && parse_threshold_rule(given[threshold].value).name;
    if ((chosen || given[conformal].value) && !choosing_scores(r)) {
        warn("stopped before thresholds and sets were chosen: the model is saved without them");
    } else if (chosen || given[conformal].value) {
        char *set = name_validation(r);
        if (chosen) choose(r, set);
        if (given[conformal].value) {
            int64_t *labels = labels_of(r->validation);
            r->sets = parse_set_rule(given[conformal].value, r->how.classes);
            fit_sets(r->t.ctx, &r->sets, r->validation_scores, labels, peft_dataset_count(r->validation), set);
            free(labels);
        }
        free(set);
    }
    store_note(r, "decision", given[threshold].value ? decision_note(&r->how) : check_alloc(strdup("")));
    store_note(r, "conformal", set_note(&r->sets));
}

void print_sets_figures(const run *r, const double *scores)
{
    const int64_t n = peft_dataset_count(r->test), classes = r->how.classes;
    if (!(r->sets.coverage > 0)) return;
    int64_t patients = 0, *patient = number_patients(r->test, &patients), sizes = 0;
    const sample_set s = { r->t.ctx, n, patient };
    float *hit = check_alloc(malloc((size_t)n * sizeof *hit));
    double *chosen = check_alloc(malloc((size_t)classes * sizeof *chosen));
    for (int64_t i = 0; i < n; i++) {
        find_set(r->t.ctx, &r->sets, scores + i * classes, chosen);
        for (int64_t c = 0; c < classes; c++) sizes += chosen[c] > 0;
        hit[i] = (float)chosen[peft_dataset_label(r->test, i)];
    }
    const peft_estimate e = share_of_samples(&s, hit);
    printf("prediction sets: coverage %.4g%s, fitted on %s\n", r->sets.coverage,
           r->sets.by_class ? " in each class" : "", r->sets.set);
    printf("%-22s %.4f", "set_coverage", e.value);
    if (!isnan(e.low)) printf(" [%.4f, %.4f]", e.low, e.high);
    printf("\n%-22s %.4f\n", "set_size", (double)sizes / (double)n);
    free(patient);
    free(hit);
    free(chosen);
}

void free_decisions(run *r)
{
    free_decision(&r->how);
    free_set_rule(&r->sets);
}
