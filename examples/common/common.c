/* SPDX-License-Identifier: Apache-2.0
 * common.c -- see common.h. */
#include "common.h"
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

const char *program_name = "peft";

void fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s: ", program_name);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

void must(peft_status s)
{
    if (s) fail("%s (%s)", peft_last_error(), peft_status_name(s));
}

void *need(void *memory)
{
    if (!memory) fail("out of memory");
    return memory;
}

double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int read_flags(flag *flags, int count, const char *usage, int argc, char **argv)
{
    char (*names)[32] = need(calloc((size_t)count, sizeof *names));
    struct option *table = need(calloc((size_t)count + 2, sizeof *table));
    for (int i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "%s", flags[i].name);
        for (char *c; (c = strchr(names[i], '_')); ) *c = '-';
        table[i] = (struct option){ names[i], flags[i].argument ? required_argument : no_argument, NULL, i };
    }
    table[count] = (struct option){ "help", no_argument, NULL, count };
    for (int c; (c = getopt_long(argc, argv, "", table, NULL)) != -1; ) {
        if (c == '?') exit(2);
        if (c < count) {
            flags[c].value = flags[c].argument ? optarg : "1";
            continue;
        }
        printf("usage: %s %s\n", program_name, usage);
        for (int i = 0; i < count; i++)
            printf("  --%-14s %-5s %s%s%s\n", names[i], flags[i].argument ? flags[i].argument : "", flags[i].help,
                   flags[i].value ? "; default " : "", flags[i].value ? flags[i].value : "");
        exit(0);
    }
    free(names);
    free(table);
    return optind;
}

int64_t flag_count(const flag *f)
{
    char *end;
    errno = 0;
    long long v = strtoll(f->value, &end, 10);
    if (errno || end == f->value || *end || v < 0) fail("%s: '%s' is not a whole number >= 0", f->name, f->value);
    return v;
}

peft_options *options_from(peft_context *ctx, const char *text)
{
    peft_options *o;
    must(peft_options_create(ctx, &o));
    if (text) must(peft_options_parse(o, text));
    return o;
}

static peft_dataset *open_zip(const char *path, const char *split)
{
    peft_dataset *d = NULL;
    peft_status s = peft_dataset_open_zip(path, split, &d);
    if (s == PEFT_E_NOTFOUND) s = strcmp(split, "test") ? peft_dataset_open_zip(path, NULL, &d) : PEFT_OK;
    must(s);
    return d;
}

/* A data set without splits is whole for "train", and NULL for "test". */
static peft_dataset *open_data(const char *path, const char *split)
{
    bool test = !strcmp(split, "test");
    size_t length = strlen(path);
    peft_dataset *d = NULL;
    struct stat st;
    if (stat(path, &st)) fail("%s: %s", path, strerror(errno));
    if (!S_ISDIR(st.st_mode)) {
        const char *end = length > 4 ? path + length - 4 : "";
        if (!strcmp(end, ".npz")) must(peft_dataset_open_npz(path, split, &d));
        else if (!strcmp(end, ".zip")) d = open_zip(path, split);
        else if (!test) must(peft_dataset_open_list(path, NULL, 0, &d));
        return d;
    }
    char *folder = need(malloc(length + 8));
    snprintf(folder, length + 8, "%s/%s", path, split);
    bool has_split = !stat(folder, &st) && S_ISDIR(st.st_mode);
    free(folder);
    if (has_split || !test) must(peft_dataset_open_folder(path, has_split ? split : NULL, &d));
    return d;
}

static void keep_few(peft_dataset **d, int64_t each, uint64_t seed, peft_dataset **rest)
{
    peft_dataset *few;
    must(peft_dataset_few_shot(*d, 0, each, seed, &few, rest));
    peft_dataset_free(*d);
    *d = few;
}

void draw_sets(const char *data, const char *test, int64_t shots, int64_t tests, uint64_t seed,
               peft_dataset **train_set, peft_dataset **test_set)
{
    peft_dataset *train = open_data(data, "train"), *held = open_data(test ? test : data, "test"), *all = train;
    if (!held && test) held = open_data(test, "train");
    peft_dataset **rest = held ? NULL : &held;
    if (shots) {
        keep_few(&train, shots, seed, rest);
    } else if (rest) {
        must(peft_dataset_split(all, 0.8, seed, &train, rest));
        peft_dataset_free(all);
    }
    if (tests) keep_few(&held, tests, seed, NULL);
    if (peft_dataset_classes(held) != peft_dataset_classes(train)) fail("training and test classes differ in number");
    *train_set = train;
    *test_set = held;
}

char *class_names(const peft_dataset *d)
{
    size_t room = 1;
    for (int64_t c = 0; c < peft_dataset_classes(d); c++) room += strlen(peft_dataset_class_name(d, c)) + 1;
    char *names = need(calloc(1, room));
    for (int64_t c = 0; c < peft_dataset_classes(d); c++) {
        if (c) strcat(names, "\n");
        strcat(names, peft_dataset_class_name(d, c));
    }
    return names;
}

void predict_image(peft_context *ctx, peft_session *s, const peft_transform *t, const peft_image *im, const char *link,
                   int64_t classes, float *probabilities)
{
    peft_tensor *image, *out;
    int64_t size = peft_transform_size(t);
    must(peft_tensor_create(ctx, PEFT_F32, 4, (int64_t[]){ 1, 3, size, size }, &image));
    must(peft_tensor_wrap(ctx, PEFT_F32, 2, (int64_t[]){ 1, classes }, probabilities, &out));
    must(peft_transform_apply(t, im, peft_tensor_data(image)));
    must(peft_session_probabilities(s, image, !strcmp(link, "sigmoid"), out));
    peft_tensor_free(image);
    peft_tensor_free(out);
}

double *predict_set(peft_context *ctx, peft_session *s, const peft_dataset *d, const peft_transform *t)
{
    int64_t classes = peft_dataset_classes(d), n = peft_dataset_count(d);
    const char *link = peft_dataset_multilabel(d) ? "sigmoid" : "softmax";
    float *row = need(malloc((size_t)classes * sizeof *row));
    double *scores = need(malloc((size_t)(n * classes) * sizeof *scores));
    for (int64_t i = 0; i < n; i++) {
        peft_image *im;
        must(peft_dataset_load(d, i, &im));
        predict_image(ctx, s, t, im, link, classes, row);
        for (int64_t c = 0; c < classes; c++) scores[i * classes + c] = row[c];
        peft_image_free(im);
    }
    free(row);
    return scores;
}

void judge_scores(peft_context *ctx, const double *scores, const peft_dataset *d, figures *f)
{
    int64_t classes = peft_dataset_classes(d), n = peft_dataset_count(d);
    float *targets = need(malloc((size_t)(n * classes) * sizeof *targets));
    int64_t *labels = need(malloc((size_t)n * 2 * sizeof *labels)), *decided = labels + n;
    int64_t *counts = need(malloc((size_t)(classes * classes) * sizeof *counts));
    for (int64_t i = 0; i < n; i++) {
        must(peft_dataset_targets(d, i, targets + i * classes));
        labels[i] = peft_dataset_label(d, i);
    }
    *f = (figures){ n, NAN, NAN, NAN, NAN, NAN };
    if (peft_dataset_multilabel(d)) {
        must(peft_metrics_multilabel(scores, targets, n, classes, 0.5, "f1_macro", &f->f1_macro, 1));
        must(peft_metrics_ranking(ctx, scores, targets, n, classes, "map", &f->map, 1));
    } else {
        must(peft_metrics_decide(scores, n, classes, decided));
        must(peft_metrics_confusion(labels, decided, n, classes, counts));
        must(peft_metrics_decision(counts, classes, "accuracy", &f->accuracy, 1));
        must(peft_metrics_decision(counts, classes, "balanced_accuracy", &f->balanced_accuracy, 1));
        must(peft_metrics_decision(counts, classes, "f1_macro", &f->f1_macro, 1));
    }
    must(peft_metrics_ranking(ctx, scores, targets, n, classes, "auroc_macro", &f->auroc_macro, 1));
    free(targets);
    free(labels);
    free(counts);
}

void print_figures(peft_context *ctx, peft_session *s, const peft_dataset *d, const peft_transform *t)
{
    figures f;
    double *scores = predict_set(ctx, s, d, t);
    judge_scores(ctx, scores, d, &f);
    free(scores);
    printf("%-22s %lld\n", "test_images", (long long)f.images);
    if (peft_dataset_multilabel(d)) {
        printf("%-22s %.4f\n%-22s %.4f\n", "f1_macro", f.f1_macro, "map", f.map);
    } else {
        printf("%-22s %.4f\n%-22s %.4f\n%-22s %.4f\n", "accuracy", f.accuracy, "balanced_accuracy",
               f.balanced_accuracy, "f1_macro", f.f1_macro);
    }
    printf("%-22s %.4f\n", "auroc_macro", f.auroc_macro);
}
