/* SPDX-License-Identifier: Apache-2.0
 * judge.c -- see judge.h. */
#include "judge.h"
#include "common/program/errors.h"
#include "common/program/stop.h"
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

peft_status try_predict_image(peft_context *ctx, peft_session *s, const peft_transform *t, const peft_image *im,
                              const char *link, int64_t classes, float *probabilities)
{
    peft_tensor *image = NULL, *out = NULL;
    int64_t size = peft_transform_size(t);
    peft_status status = peft_tensor_create(ctx, PEFT_F32, 4, (int64_t[]){ 1, 3, size, size }, &image);
    if (!status) status = peft_tensor_wrap(ctx, PEFT_F32, 2, (int64_t[]){ 1, classes }, probabilities, &out);
    if (!status) status = peft_transform_apply(t, im, peft_tensor_data(image));
    if (!status) status = peft_session_probabilities(s, image, !strcmp(link, "sigmoid"), out);
    for (int64_t c = 0; !status && c < classes; c++)
        if (!isfinite(probabilities[c]))
            status = peft_set_error(PEFT_E_NONFINITE, "the model's output is not a number");
    peft_tensor_free(image);
    peft_tensor_free(out);
    return status;
}

void predict_image(peft_context *ctx, peft_session *s, const peft_transform *t, const peft_image *im, const char *link,
                   int64_t classes, float *probabilities)
{
    must(try_predict_image(ctx, s, t, im, link, classes, probabilities));
}

double *predict_set(peft_context *ctx, peft_session *s, const peft_dataset *d, const peft_transform *t)
{
    int64_t classes = peft_dataset_classes(d), n = peft_dataset_count(d), i = 0;
    const char *link = peft_dataset_multilabel(d) ? "sigmoid" : "softmax";
    float *row = need(malloc((size_t)classes * sizeof *row));
    double *scores = need(malloc((size_t)(n * classes) * sizeof *scores));
    for (; i < n && !stop_requested; i++) {
        peft_image *im;
        must(peft_dataset_load(d, i, &im));
        predict_image(ctx, s, t, im, link, classes, row);
        for (int64_t c = 0; c < classes; c++) scores[i * classes + c] = row[c];
        peft_image_free(im);
    }
    free(row);
    if (i == n) return scores;
    free(scores);
    return NULL;
}

/* What the metrics read: targets [n, classes], and with one label a sample labels [n], decisions [n] and counts
 * [classes, classes], a row a true class. */
typedef struct truth {
    int64_t n, classes;
    float *targets;
    int64_t *labels, *decided, *counts;
} truth;

static truth read_truth(const double *scores, const peft_dataset *d)
{
    truth t = { peft_dataset_count(d), peft_dataset_classes(d), NULL, NULL, NULL, NULL };
    t.targets = need(malloc((size_t)(t.n * t.classes) * sizeof *t.targets));
    t.labels = need(malloc((size_t)t.n * 2 * sizeof *t.labels));
    t.decided = t.labels + t.n;
    t.counts = need(calloc((size_t)(t.classes * t.classes), sizeof *t.counts));
    for (int64_t i = 0; i < t.n; i++) {
        must(peft_dataset_targets(d, i, t.targets + i * t.classes));
        t.labels[i] = peft_dataset_label(d, i);
    }
    if (peft_dataset_multilabel(d)) return t;
    must(peft_metrics_decide(scores, t.n, t.classes, t.decided));
    must(peft_metrics_confusion(t.labels, t.decided, t.n, t.classes, t.counts));
    return t;
}

static void free_truth(truth *t)
{
    free(t->targets);
    free(t->labels);
    free(t->counts);
}

static void judge(peft_context *ctx, const double *scores, const peft_dataset *d, const truth *t, figures *f)
{
    const int64_t n = t->n, classes = t->classes;
    *f = (figures){ n, NAN, NAN, NAN, NAN, NAN };
    if (peft_dataset_multilabel(d)) {
        must(peft_metrics_multilabel(scores, t->targets, n, classes, 0.5, "f1_macro", &f->f1_macro, 1));
        must(peft_metrics_ranking(ctx, scores, t->targets, n, classes, "map", &f->map, 1));
    } else {
        must(peft_metrics_decision(t->counts, classes, "accuracy", &f->accuracy, 1));
        must(peft_metrics_decision(t->counts, classes, "balanced_accuracy", &f->balanced_accuracy, 1));
        must(peft_metrics_decision(t->counts, classes, "f1_macro", &f->f1_macro, 1));
    }
    must(peft_metrics_ranking(ctx, scores, t->targets, n, classes, "auroc_macro", &f->auroc_macro, 1));
}

void judge_scores(peft_context *ctx, const double *scores, const peft_dataset *d, figures *f)
{
    truth t = read_truth(scores, d);
    judge(ctx, scores, d, &t, f);
    free_truth(&t);
}

/* "0.9091 [0.7219, 0.9747]": k of n and Wilson's interval; "-" where there is nothing to count. */
static void print_share(int64_t k, int64_t n, int width)
{
    const double z = 1.959963984540054, p = n ? (double)k / (double)n : NAN, m = (double)n;
    char text[40] = "-";
    if (n) {
        const double scale = 1 + z * z / m, centre = (p + z * z / (2 * m)) / scale;
        const double half = z * sqrt(p * (1 - p) / m + z * z / (4 * m * m)) / scale;
        snprintf(text, sizeof text, "%.4f [%.4f, %.4f]", p, fmax(0, centre - half), fmin(1, centre + half));
    }
    printf("%-*s", width, text);
}

static void print_confusion(const truth *t, const peft_dataset *d)
{
    printf("confusion matrix: a row a true class, a column a predicted one, in the same order\n");
    for (int64_t r = 0; r < t->classes; r++) {
        printf("  %-20s", peft_dataset_class_name(d, r));
        for (int64_t c = 0; c < t->classes; c++) printf(" %6lld", (long long)t->counts[r * t->classes + c]);
        putchar('\n');
    }
}

/* Yes and no, right and wrong, for one class against all others. Targets of -1 are not judged. */
static void print_class(const truth *t, const double *scores, const peft_dataset *d, int64_t c)
{
    int64_t has[2] = { 0, 0 }, right[2] = { 0, 0 };
    for (int64_t i = 0; i < t->n; i++) {
        const float target = t->targets[i * t->classes + c];
        const bool yes = peft_dataset_multilabel(d) ? scores[i * t->classes + c] >= 0.5 : t->decided[i] == c;
        if (target < 0) continue;
        has[target > 0.5f]++;
        right[target > 0.5f] += yes == (target > 0.5f);
    }
    printf("  %-20s %6lld", peft_dataset_class_name(d, c), (long long)has[1]);
    fputs("  ", stdout);
    print_share(right[1], has[1], 27);
    print_share(right[0], has[0], 0);
    putchar('\n');
}

void print_figures(peft_context *ctx, const double *scores, const peft_dataset *d)
{
    figures f;
    truth t = read_truth(scores, d);
    judge(ctx, scores, d, &t, &f);
    if (!peft_dataset_multilabel(d)) print_confusion(&t, d);
    printf("%-22s %6s  %-25s  %s\n", "class", "images", "sensitivity [95 %]", "specificity [95 %]");
    for (int64_t c = 0; c < t.classes; c++) print_class(&t, scores, d, c);
    printf("%-22s %lld\n", "test_images", (long long)f.images);
    if (peft_dataset_multilabel(d)) {
        printf("%-22s %.4f\n%-22s %.4f\n", "f1_macro", f.f1_macro, "map", f.map);
    } else {
        int64_t right = 0;
        for (int64_t i = 0; i < t.n; i++) right += t.decided[i] == t.labels[i];
        printf("%-22s %.4f\n%-22s ", "accuracy", f.accuracy, "accuracy_interval");
        print_share(right, t.n, 0);
        printf("\n%-22s %.4f\n%-22s %.4f\n", "balanced_accuracy", f.balanced_accuracy, "f1_macro", f.f1_macro);
    }
    printf("%-22s %.4f\n", "auroc_macro", f.auroc_macro);
    free_truth(&t);
}
