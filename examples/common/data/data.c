/* SPDX-License-Identifier: Apache-2.0
 * data.c -- opens the training and test set: splits of the data, few-shot draws, matching classes (data.h). */
#include "data.h"
#include "common/program/errors.h"
#include "common/segment/mask_sets.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static const char *const all_images = NULL;                   /* in place of the name of a split */
static const char not_drawn[] = "those that were not drawn for training";
static const char split_val[] = "the split 'val', as there is no 'test'";
static const char a_fifth[] = "a fifth of every class, taken from the training images";

static bool ends_in(const char *path, const char *ending)
{
    const char *dot = strrchr(path, '.');
    return dot && !strcasecmp(dot, ending);
}

/* Is the path that of a file which may be a table? */
static bool may_be_table(const char *path)
{
    struct stat st;
    return !stat(path, &st) && S_ISREG(st.st_mode) && !ends_in(path, ".zip") && !ends_in(path, ".npz");
}

peft_dataset *read_with_options(peft_dataset *d, const char *image_options)
{
    peft_dataset *out;
    if (!image_options) return d;
    if (peft_dataset_with_image_options(d, image_options, &out))
        fail("--image-options: %s; inspect --options lists them", peft_last_error());
    peft_dataset_free(d);
    return out;
}

/* Ends the program with the error of opening a data set. Settings of tables, which many messages name, are given by
 * --table. advice: what to do where the data have no classes; may be NULL. */
static _Noreturn void fail_opening(peft_status s, const char *advice)
{
    static const char *const settings[] = { "=COLUMN", "=FOLDER", "=none", "=skip", "ending=", "delimiter=",
                                            "classes=" };
    const char *message = peft_last_error();
    size_t i = 0;
    if (advice && strstr(message, "no class folders")) fail("%s (%s); %s", message, peft_status_name(s), advice);
    while (i < sizeof settings / sizeof *settings && !strstr(message, settings[i])) i++;
    if (i == sizeof settings / sizeof *settings) fail("%s (%s)", message, peft_status_name(s));
    fail("%s (%s); settings of a table are given as --table NAME=VALUE,.. (inspect --table)", message,
         peft_status_name(s));
}

/* Opens a data set. Where no classes are needed a folder may hold images without folders of classes; it
 * has no splits then. */
static peft_status open_data(peft_context *ctx, const data_request *q, const char *path, const char *split,
                             peft_dataset **d)
{
    if (q->table && may_be_table(path)) return peft_dataset_open_table(ctx, path, split, q->table, d);
    const peft_status s = peft_dataset_open(ctx, path, split, d);
    const bool classes_needed = !q->masks && !q->unlabelled;
    if (!s || classes_needed || !strstr(peft_last_error(), "no class folders")) return s;
    return split ? PEFT_E_NOTFOUND : peft_dataset_open_pictures(ctx, path, d);
}

/* Adds the masks, if there are any; takes d. */
static peft_dataset *with_masks(peft_dataset *d, const data_request *q, const char *path)
{
    const bool of_test = q->test_masks && q->test && !strcmp(path, q->test);
    if (!q->masks) return d;
    return add_masks(d, of_test ? "test-masks" : "masks", of_test ? q->test_masks : q->masks, q->mask_options);
}

peft_dataset *open_split(peft_context *ctx, const data_request *q, const char *path, const char *split)
{
    peft_dataset *d = NULL, *grouped;
    const peft_status s = open_data(ctx, q, path, split, &d);
    if (s == PEFT_E_OPTION) fail("--table: %s; inspect --table lists the settings", peft_last_error());
    if (s && (s != PEFT_E_NOTFOUND || !split)) fail_opening(s, q->advice);
    if (!d) return NULL;
    if (q->patients) {
        if (peft_dataset_with_groups(d, q->patients, &grouped)) fail("--patients: %s", peft_last_error());
        peft_dataset_free(d);
        d = grouped;
    }
    return with_masks(read_with_options(d, q->image_options), q, path);
}

/* Opens the split "train", or all images if there is none. */
static peft_dataset *open_train(peft_context *ctx, const data_request *q)
{
    peft_dataset *d = open_split(ctx, q, q->data, "train");
    return d ? d : open_split(ctx, q, q->data, all_images);
}

/* Opens the split of held-out images, "test" or else "val"; NULL: the data have neither. *source: a phrase that names
 * the split. */
static peft_dataset *open_held_out(peft_context *ctx, const data_request *q, const char *path, const char **source)
{
    static const struct { const char *split, *source; } order[] = {
        { "test", "the split 'test'" }, { "val", split_val } };
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        peft_dataset *d = open_split(ctx, q, path, order[i].split);
        *source = order[i].source;
        if (d) return d;
    }
    return NULL;
}

/* Opens the images of --test: its held-out split, or all of them if it has no splits. */
static peft_dataset *open_test(peft_context *ctx, const data_request *q, const char **source)
{
    peft_dataset *d = open_held_out(ctx, q, q->test, source), *train;
    if (d) return d;
    if ((train = open_split(ctx, q, q->test, "train")))
        fail("--test %s: has a split 'train', but neither 'test' nor 'val'; give the folder that holds the class "
             "folders of the test images", q->test);
    *source = "all images of --test";
    return open_split(ctx, q, q->test, all_images);
}

/* The largest number of images of each class, less than per_class, whose draw leaves others for the rest; 0: none.
 * A larger draw contains a smaller one of the same seed. */
static int64_t largest_draw(peft_dataset *d, int64_t per_class, uint64_t seed)
{
    int64_t low = 0, high = per_class;                        /* low leaves a rest, or is 0; high leaves none */
    while (high - low > 1) {
        const int64_t middle = low + (high - low) / 2, all_classes = 0;
        peft_dataset *few, *rest;
        if (peft_dataset_few_shot(d, all_classes, middle, seed, &few, &rest)) {
            high = middle;
            continue;
        }
        low = middle;
        peft_dataset_free(few);
        peft_dataset_free(rest);
    }
    return low;
}

/* Ends the program as a draw leaves no images for the test. */
static _Noreturn void fail_without_rest(peft_dataset *d, const char *flag, int64_t per_class, uint64_t seed)
{
    const int64_t most = largest_draw(d, per_class, seed);
    const char *patients = peft_dataset_has_groups(d) ? ", as images of a patient come into one set" : "";
    if (!most) fail("--%s %lld: no number of images leaves others for the test%s; give test images by --test", flag,
                    (long long)per_class, patients);
    fail("--%s %lld: no images are left for the test%s; give at most %lld, or test images by --test", flag,
         (long long)per_class, patients, (long long)most);
}

/* Replaces *d by a random draw of per_class images of each class; rest (may be NULL) gets the other images. */
static void draw_few_shot(peft_dataset **d, const char *flag, int64_t per_class, uint64_t seed, peft_dataset **rest)
{
    const int64_t all_classes = 0;
    peft_dataset *few;
    const peft_status s = peft_dataset_few_shot(*d, all_classes, per_class, seed, &few, rest);
    if (s == PEFT_E_UNSUPPORTED && rest && strstr(peft_last_error(), "rest would be empty"))
        fail_without_rest(*d, flag, per_class, seed);
    if (s) fail("--%s %lld: %s (%s); give a smaller number, or 0 for all", flag, (long long)per_class,
                peft_last_error(), peft_status_name(s));
    peft_dataset_free(*d);
    *d = few;
}

void match_classes(peft_dataset **d, const char *name, const peft_dataset *train, const char *path)
{
    peft_dataset *matched;
    const peft_status s = peft_dataset_match_classes(*d, train, &matched);
    if (s) fail("%s images in %s: %s (%s); give the classes the same names as in the training images", name, path,
                peft_last_error(), peft_status_name(s));
    peft_dataset_free(*d);
    *d = matched;
}

/* Have the images no classes, as those of a folder without folders of classes, whose masks have them? */
static bool is_unlabelled(const peft_dataset *d)
{
    return peft_dataset_classes(d) == 1 && !strcmp(peft_dataset_class_name(d, 0), "unlabelled");
}

/* Refuses pictures without labels, which a DICOMDIR has. */
static void check_labelled(const peft_dataset *d, const char *path)
{
    if (is_unlabelled(d))
        fail("%s: its pictures have no labels; give a table with a column of labels, or a folder for each class", path);
}

peft_dataset *draw_training(peft_context *ctx, const data_request *q)
{
    peft_dataset *train = open_train(ctx, q);
    check_labelled(train, q->data);
    if (q->shots) draw_few_shot(&train, "shots", q->shots, q->seed, NULL);
    check_classes(train, q->data);
    return train;
}

const char *draw_sets(peft_context *ctx, const data_request *q, peft_dataset **train_set, peft_dataset **test_set)
{
    const char *source;
    if (q->table && !may_be_table(q->data) && !(q->test && may_be_table(q->test)))
        fail("--table: %s is no table; give the path of a table (.csv, .tsv), or leave --table out", q->data);
    peft_dataset *train = open_train(ctx, q);
    if (!q->masks) check_labelled(train, q->data);
    peft_dataset *test = q->test ? open_test(ctx, q, &source) : open_held_out(ctx, q, q->data, &source);
    /* Without held-out images, the images that are not drawn for training become the test set. */
    peft_dataset **rest = test ? NULL : &test, *all = train;
    if (q->shots) {
        draw_few_shot(&train, "shots", q->shots, q->seed, rest);
        if (rest) source = not_drawn;
    } else if (rest) {
        const double train_fraction = 0.8;
        const peft_status s = peft_dataset_split(all, train_fraction, q->seed, &train, rest);
        if (s) fail("%s: a fifth of its images cannot be held out for the test: %s (%s); give test images by --test",
                    q->data, peft_last_error(), peft_status_name(s));
        peft_dataset_free(all);
        check_drawn_classes(train, test, "test");
        source = a_fifth;
    }
    if (q->tests) draw_few_shot(&test, "test-per-class", q->tests, q->seed, NULL);
    check_classes(train, q->data);
    if (!rest) match_classes(&test, "test", train, q->test ? q->test : q->data);
    check_patients((named_set){ train, "training", "data" }, (named_set){ test, "test", "test" }, "the metrics",
                   q->allow_shared_patients, !q->test && !rest && may_be_table(q->data));
    *train_set = train;
    *test_set = test;
    return source;
}

bool tests_on_val(const char *source) { return source == split_val; }

bool drawn_from_training_data(const char *source) { return source == not_drawn || source == a_fifth; }

char *class_name_lines(const peft_dataset *d)
{
    size_t size = 1;
    for (int64_t c = 0; c < label_classes(d); c++) size += strlen(label_class_name(d, c)) + 1;
    char *names = check_alloc(calloc(1, size));
    for (int64_t c = 0; c < label_classes(d); c++) {
        if (c) strcat(names, "\n");
        strcat(names, label_class_name(d, c));
    }
    return names;
}

/* Prints how many of the images are slices, and of how many files. */
static void print_slices(const peft_dataset *d)
{
    const slice_count n = count_slices(d);
    if (!n.slices) return;
    if (n.slices == peft_dataset_count(d)) printf(", slices");
    else printf(", %lld of them slices", (long long)n.slices);
    printf(" of %lld file%s", (long long)n.files, n.files == 1 ? "" : "s");
}

void print_set(const char *title, const peft_dataset *d)
{
    const char *skipped = peft_dataset_skipped(d);
    const int64_t all = peft_dataset_count(d);
    int64_t *count = count_classes(d), *judged = count_judged(d);
    printf("%s: %lld image%s", title, (long long)all, all == 1 ? "" : "s");
    print_slices(d);
    for (int64_t c = 0; c < peft_dataset_classes(d) && !is_unlabelled(d); c++) {
        printf("%s %s %lld", c ? "," : ":", peft_dataset_class_name(d, c), (long long)count[c]);
        if (judged[c] < all) printf(" (%lld not judged)", (long long)(all - judged[c]));
    }
    if (*skipped) printf("; not read: %s", skipped);
    free(count);
    free(judged);
}

void print_sets(const peft_dataset *train, const peft_dataset *validation, const peft_dataset *test, const char *source)
{
    print_set("training", train);
    print_set("\ntest", test);
    printf("; %s\n", source);
    print_patients(train, validation, test);
    if (peft_dataset_has_masks(train)) print_mask_classes(train);
    else check_test_classes(test);
}
