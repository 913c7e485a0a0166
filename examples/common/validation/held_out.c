/* SPDX-License-Identifier: Apache-2.0
 * held_out.c -- opens validation images or takes them from the training images (held_out.h). */
#include "held_out.h"
#include "common/flags/decimal.h"
#include "common/program/errors.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const all_images = NULL;                   /* in place of the name of a split */

validation_request parse_validation(const char *text)
{
    static const char expected[] = "expected a path, a share of the training images such as 0.2, or folds=5";
    char *end, *last;
    if (!text) return (validation_request){ .kind = NO_VALIDATION };
    if (!*text) fail("--val: given '', %s", expected);
    if (!strncmp(text, "folds=", 6)) {
        const long long n = strtoll(text + 6, &end, 10);
        if (end == text + 6 || *end || n < 2) fail("--val %s: %s, with 2 or more folds", text, expected);
        return (validation_request){ .kind = VALIDATION_FOLDS, .folds = n };
    }
    /* strtod tells a number from a path; of the numbers, read_decimal refuses those such as nan and 0x1p-3. */
    const double share = strtod(text, &end), decimal = read_decimal(text, &last);
    if (end > text && !strcmp(end, "%") && access(text, F_OK))
        fail("--val %s: %s; a share is given as a number from 0 to 1, %g", text, expected, share / 100);
    if (end == text || *end) return (validation_request){ .kind = VALIDATION_PATH, .path = text };
    if (!(decimal > 0 && decimal < 1) || last != end)
        fail("--val %s: a share must be a decimal number between 0 and 1, as 0.2 is 20 %%; %s (./%s for a file of "
             "this name)", text, expected, text);
    return (validation_request){ .kind = VALIDATION_SHARE, .share = share };
}

/* The images of --val PATH: its split "val", else "test", else all if it has no splits. */
static peft_dataset *open_path(peft_context *ctx, const data_request *q, const char *path)
{
    peft_dataset *d = open_split(ctx, q, path, "val");
    if (!d) d = open_split(ctx, q, path, "test");
    return d ? d : open_split(ctx, q, path, all_images);
}

/* Takes a share of *train. */
static peft_dataset *take_share(const data_request *q, double share, peft_dataset **train)
{
    peft_dataset *kept, *held;
    const peft_status s = peft_dataset_split(*train, 1 - share, q->seed, &kept, &held);
    if (s == PEFT_E_UNSUPPORTED)
        fail("--val %g: this share of the %lld training images leaves none for %s%s; give %s share, more training "
             "images, or validation images by --val PATH", share, (long long)peft_dataset_count(*train),
             strstr(peft_last_error(), "rest would be empty") ? "validation" : "training",
             peft_dataset_has_groups(*train) ? ", as images of a patient come into one set" : "",
             strstr(peft_last_error(), "rest would be empty") ? "a larger" : "a smaller");
    if (s)
        fail("--val: a share of %g of the %lld training images cannot be held out for validation: %s (%s); give more "
             "training images, or validation images by --val PATH", share, (long long)peft_dataset_count(*train),
             peft_last_error(), peft_status_name(s));
    peft_dataset_free(*train);
    *train = kept;
    check_drawn_classes(kept, held, "validation");
    check_classes(kept, q->data);
    return held;
}

static void check_sets(const data_request *q, const validation_request *v, named_set train, named_set validation,
                       named_set test, bool splits)
{
    check_patients(train, validation, "the figures on them", q->allow_shared_patients, splits);
    check_patients(validation, test, "the metrics", q->allow_shared_patients, splits);
    check_shared_images(train, validation, "the figures on them");
    const int64_t both = check_shared_images(validation, test, "the metrics");
    if (both && v->chooses && !q->allow_shared_patients)
        fail("--%s: chooses by the validation images, and %lld of them %s also test image%s, so the metrics would not "
             "hold for new images; remove them from one set, or give --allow-shared-patients", v->chooses,
             (long long)both, both == 1 ? "is" : "are", both == 1 ? "" : "s");
}

peft_dataset *draw_validation(peft_context *ctx, const data_request *q, const validation_request *v,
                              const char *test_source, peft_dataset **train, const peft_dataset *test,
                              const char **source)
{
    static char phrase[80];
    const double fifth = 0.2;
    peft_dataset *d = NULL;
    const bool of_data = v->kind == NO_VALIDATION && !tests_on_val(test_source);
    if (v->kind == VALIDATION_PATH) d = open_path(ctx, q, v->path);
    else if (of_data) d = open_split(ctx, q, q->data, "val");
    if (d) {
        match_classes(&d, "validation", *train, v->path ? v->path : q->data);
        *source = v->path ? "the images of --val" : "the split 'val'";
    } else {
        const double share = v->kind == VALIDATION_SHARE ? v->share : fifth;
        d = take_share(q, share, train);
        snprintf(phrase, sizeof phrase, "a share of %g of the training images, which are not trained on", share);
        *source = phrase;
    }
    check_sets(q, v, (named_set){ *train, "training", "data" }, (named_set){ d, "validation", "val" },
               (named_set){ test, "test", "test" }, of_data);
    return d;
}

void print_validation(const peft_dataset *d, const char *source)
{
    print_set("validation", d);
    if (peft_dataset_has_groups(d)) {
        int64_t patients;
        must(peft_dataset_shared_groups(d, d, 0, NULL, NULL, &patients));
        printf("; %lld patients", (long long)patients);
    }
    printf("; %s\n", source);
}
